"""Bags of regions: a proposal and some of its neighbours on a 3 x 3 checkerboard (BARON, arXiv 2302.13996).

Cells are numbered row by row, 4 is the proposal itself. Shapes: R proposals, n boxes of a bag; xyxy in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

CENTRE, CELLS = 4, 9
LEFT, RIGHT, UP, DOWN, CORNERS = (0, 3, 6), (2, 5, 8), (0, 1, 2), (6, 7, 8), (0, 2, 6, 8)


@dataclass(frozen=True)
class Bag:
    """Boxes of one bag in one order.

    Args:
        cells: numbers of the cells, in the order of the boxes.
        boxes: (n,4) in pixels, cut to the picture.
        span: (4,) the box around all of them.
        relative: (n,4) the boxes in ``span``, in [0, 1].
    """

    cells: tuple[int, ...]
    boxes: Tensor
    span: Tensor
    relative: Tensor


def direction_probabilities(
    boxes: Tensor, size: tuple[int, int], *, alpha: float, base: float, cut_off: float, interval: float
) -> Tensor:
    """Probability (R,4) of neighbours to the left, right, above and below of boxes (R,4) in a picture of (H,W) pixels.

    A long side attracts: (height / width)^alpha for left and right, its inverse for above and below, times ``base`` and
    at most ``base``. A side where less than ``cut_off + interval`` of a box fits into the picture gets none.
    """
    x1, y1, x2, y2 = boxes.unbind(1)
    width, height = x2 - x1 + 1e-12, y2 - y1 + 1e-12
    tall = (height / width) ** alpha * base
    wide = (width / height) ** alpha * base
    probability = torch.stack([tall, tall, wide, wide], 1).clamp(0, base).nan_to_num(0.0)
    room = torch.stack([x1 / width, (size[1] - x2) / width, y1 / height, (size[0] - y2) / height], 1)
    return probability * (room > cut_off + interval)


def cell_probabilities(directions: Tensor) -> Tensor:
    """Probability (R,9) of each cell from those of the directions (R,4); corners take the geometric mean of two."""
    cells = directions.new_ones(len(directions), CELLS)
    for column, members in enumerate((LEFT, RIGHT, UP, DOWN)):
        cells[:, list(members)] *= directions[:, column : column + 1]
    cells[:, list(CORNERS)] = cells[:, list(CORNERS)].sqrt()
    return cells.clamp(0, 1)


def checkerboard(box: Tensor, interval: float) -> Tensor:
    """(9,4): copies of a box (4,) around it, ``interval`` of its size apart; a negative one makes them overlap."""
    index = torch.arange(3, dtype=box.dtype, device=box.device) - 1
    rows, columns = torch.meshgrid(index, index, indexing="ij")
    size = box[2:] - box[:2]
    shift = torch.stack([columns, rows], -1).view(-1, 2) * (1 + interval) * size
    return box[None] + torch.cat([shift, shift], 1)


def make_bag(board: Tensor, cells: tuple[int, ...], size: tuple[int, int]) -> Bag:
    """The cells of a board (9,4) as a bag, cut to a picture of (H,W) pixels."""
    limit = board.new_tensor([size[1], size[0], size[1], size[0]])
    boxes = torch.minimum(board[list(cells)].clamp(min=0), limit)
    span = torch.cat([boxes[:, :2].amin(0), boxes[:, 2:].amax(0)])
    extent = (span[2:] - span[:2]).repeat(2) + 1e-12
    return Bag(tuple(cells), boxes, span, (boxes - span[:2].repeat(2)) / extent)


def sample_bags(
    box: Tensor,
    size: tuple[int, int],
    *,
    max_groups: int = 3,
    max_permutations: int = 2,
    alpha: float = 3.0,
    base_probability: float = 0.3,
    cut_off: float = 0.3,
    interval: float = -0.1,
    generator: torch.Generator | None = None,
    attempts: int = 100,
) -> list[list[Bag]]:
    """Different groups of neighbours of a box (4,), each in different orders: groups x permutations.

    Args:
        size: (H, W) of the picture in pixels.
        attempts: draws after which fewer groups than ``max_groups`` have to do (the official code draws on for ever).
    """
    cell = cell_probabilities(
        direction_probabilities(
            box[None].cpu(), size, alpha=alpha, base=base_probability, cut_off=cut_off, interval=interval
        )
    )[0]
    neighbours = int((cell > 0).sum()) - 1
    wanted = min(max_groups, math.factorial(neighbours))
    groups: list[tuple[int, ...]] = []
    for _ in range(attempts):
        drawn = tuple(torch.bernoulli(cell, generator=generator).nonzero().flatten().tolist())
        if drawn not in groups:
            groups.append(drawn)
        if len(groups) == wanted:
            break
    board = checkerboard(box, interval)
    bags = []
    for cells in groups:
        orders: list[tuple[int, ...]] = []
        while len(orders) < min(max_permutations, math.factorial(len(cells))):
            order = tuple(cells[i] for i in torch.randperm(len(cells), generator=generator).tolist())
            if order not in orders:
                orders.append(order)
        bags.append([make_bag(board, order, size) for order in orders])
    return bags
