"""An output axis as pieces on which it is linear between two knots.

In a cell every output of an ``AxisMatrix`` is ``near_weight * knot[near] + far_weight * knot[far]`` with weights >= 0
that sum to 1, so the knots bound it. Cells can be halved again and again: tiles of level n are the outputs in one of
the 2^n equal parts of a cell.

Shapes: N outputs and M inputs of an axis, K knots, C cells (pairs of knots), T tiles of at most L outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix

# Second difference (sum of absolute weights) above which an output is a kink. A kink between two patches that are s
# pixels apart is about 2 / s; the rounding of F.interpolate's positions stays below 1e-4.
KINK = 1e-3
# What the two-knot form of an output may miss (sum of absolute weights): the rounding of F.interpolate's positions,
# which grows with the length of the axis. Cells that miss more are halved.
REMAINDER, REMAINDER_PER_OUTPUT = 4e-6, 1e-8


class Tiles(NamedTuple):
    """The tiles of one level: part of the cell (0 .. 2^level - 1) and cell (T,), their outputs, knots and weights.

    ``near`` and ``far`` are (T,) knots, the weights (L, T); outputs past a tile's end repeat its last one. ``tile`` and
    ``place`` (N,) give the tile of an output and its position there.
    """

    cell: Tensor
    part: Tensor
    near: Tensor
    far: Tensor
    near_weight: Tensor
    far_weight: Tensor
    tile: Tensor
    place: Tensor


@dataclass(frozen=True)
class TilePlan:
    """The cells of one axis.

    Args:
        knots: (K, M) matrix of the knots, or None if they are the inputs themselves.
        num_knots: K.
        stride: 1 if cell c lies between the knots c and c + 1, 2 if between 2c and 2c + 1.
        cell: (N,) cell of every output, ascending.
        near, far: (N,) knots of every output.
        near_weight, far_weight: (N,) their weights.
        position: (N,) place of every output in its cell, 0 at its first knot and 1 at its second.
    """

    knots: AxisMatrix | None
    num_knots: int
    stride: int
    cell: Tensor
    near: Tensor
    far: Tensor
    near_weight: Tensor
    far_weight: Tensor
    position: Tensor

    @property
    def num_cells(self) -> int:
        """C."""
        return max(self.num_knots - 1, 1) if self.stride == 1 else self.num_knots // 2

    @property
    def cell_length(self) -> float:
        """Outputs per cell away from the borders."""
        return len(self.cell) / (self.num_knots if self.stride == 1 else self.num_cells)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> TilePlan:
        """The plan on another device with weights of another dtype."""
        tensors = {name: t.to(device) for name, t in vars(self).items() if isinstance(t, Tensor)}
        tensors |= {name: tensors[name].to(dtype) for name in ("near_weight", "far_weight")}
        knots = None if self.knots is None else self.knots.to(device, dtype)
        return TilePlan(**{**vars(self), **tensors, "knots": knots})

    def tiles(self, level: int, outputs: slice = slice(None)) -> Tiles:
        """Tiles of the outputs (whole cells) when every cell is halved ``level`` times."""
        cell, position = self.cell[outputs], self.position[outputs]
        part = (position * 2**level).long().clamp_(max=2**level - 1)
        # Outputs before the first and after the last input have the same knot twice: tiles of their own, cut to length.
        near, far = self.near[outputs], self.far[outputs]
        _, start = _runs(torch.stack([cell, part, near, far]))
        longest = math.ceil(self.cell_length / 2**level) + 1
        cut = (torch.arange(len(cell), device=cell.device) - start) // longest
        tile, start = _runs(torch.stack([cell, part, near, far, cut]))
        place = torch.arange(len(cell), device=cell.device) - start
        start, length = torch.unique_consecutive(start, return_counts=True)
        step = torch.arange(int(length.max()), device=tile.device)[:, None]
        rows = start + torch.minimum(step, length - 1)
        near_weight, far_weight = self.near_weight[outputs][rows], self.far_weight[outputs][rows]
        return Tiles(cell[start], part[start], near[start], far[start], near_weight, far_weight, tile, place)


def _runs(keys: Tensor) -> tuple[Tensor, Tensor]:
    """(N,) number and first member of the run of equal columns of ``keys`` (n, N) that each column belongs to."""
    _, run, length = torch.unique_consecutive(keys, dim=1, return_inverse=True, return_counts=True)
    return run, (length.cumsum(0) - length)[run]


def plan_tiles(matrix: AxisMatrix) -> TilePlan:
    """Cells between neighbouring inputs for one bilinear resize, between two outputs of its own for other matrices."""
    matrix = matrix.to("cpu")
    low, high = matrix.index[:, 0], matrix.index[:, -1]
    if matrix.taps <= 2 and (high - low <= 1).all() and (high >= low).all() and (low[1:] >= low[:-1]).all():
        return _input_plan(matrix, low, high)
    return _output_plan(matrix)


def _input_plan(matrix: AxisMatrix, low: Tensor, high: Tensor) -> TilePlan:
    near_weight = matrix.weight[:, 0]
    far_weight = matrix.weight[:, 1] if matrix.taps == 2 else torch.zeros_like(near_weight)
    # A tap without weight may repeat the first: then the far knot is the next one all the same.
    high = torch.where(far_weight == 0, low + 1, high).clamp_(max=matrix.size_in - 1)
    cell = low.clamp(max=max(matrix.size_in - 2, 0))
    position = torch.where(high == low, (low - cell).to(far_weight), far_weight)
    return TilePlan(None, matrix.size_in, 1, cell, low, high, near_weight, far_weight, position)


def _output_plan(matrix: AxisMatrix) -> TilePlan:
    lengths = _linear_runs(matrix)
    while True:
        fraction, remainder = _fractions(matrix, lengths)
        allowed = max(REMAINDER, REMAINDER_PER_OUTPUT * len(matrix))
        if float(remainder.max()) <= allowed:
            break
        bad = torch.stack([part.max() > allowed for part in remainder.split(lengths)]).tolist()
        halves = ([n // 2, n - n // 2] if is_bad else [n] for n, is_bad in zip(lengths, bad))
        lengths = [n for pair in halves for n in pair]
    length = torch.tensor(lengths)
    end = length.cumsum(0)
    cell = torch.repeat_interleave(torch.arange(len(lengths)), length)
    knots = matrix[torch.stack([end - length, end - 1], 1).flatten()]
    fraction = fraction.to(matrix.weight.dtype)
    return TilePlan(knots, len(knots), 2, cell, 2 * cell, 2 * cell + 1, 1 - fraction, fraction, fraction)


def _linear_runs(matrix: AxisMatrix) -> list[int]:
    """Lengths of runs of collinear outputs. A kink may end a run or start one; two outputs are always collinear."""
    lengths, length = [], 0
    for is_kink in (_second_difference(matrix) > KINK).tolist():
        length += 1
        if is_kink and length > 1:
            lengths.append(length)
            length = 0
    return lengths + ([length] if length else [])


def _second_difference(matrix: AxisMatrix) -> Tensor:
    """(N,) sum of absolute weights of out[n - 1] - 2 out[n] + out[n + 1]; 0 at both ends."""
    out = matrix.weight.new_zeros(len(matrix))
    for block in range(1, len(matrix) - 1, 512):
        dense = matrix[slice(block - 1, block + 513)].dense()
        out[block : block + len(dense) - 2] = (dense[:-2] - 2 * dense[1:-1] + dense[2:]).abs().sum(1)
    return out


def _fractions(matrix: AxisMatrix, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """(N,) position of every output between the ends of its run, and the (N,) remainder that it misses."""
    length = torch.tensor(lengths)
    end = length.cumsum(0)
    run = torch.repeat_interleave(torch.arange(len(lengths)), length)
    first, last = (end - length)[run], (end - 1)[run]
    fractions, remainders = [], []
    for block in range(0, len(matrix), 512):
        part = slice(block, block + 512)
        start = matrix[first[part]].dense().double()
        span, offset = matrix[last[part]].dense().double() - start, matrix[part].dense().double() - start
        fraction = ((offset * span).sum(1) / (span * span).sum(1).clamp(min=1e-30)).clamp(0, 1)
        remainders.append((offset - fraction[:, None] * span).abs().sum(1))
        fractions.append(fraction)
    return torch.cat(fractions), torch.cat(remainders)
