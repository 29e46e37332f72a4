"""The winning class at every pixel from a few candidates per tile: the inner part of ``separable_argmax``.

Shapes: S phrases on a grid of Ky x Kx knots, C cells between knots, E entries (cell, phrase), T tiles of L_y x L_x
pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, apply_axis
from ovdense.functional.tiles import TilePlan

# Elements of the temporary tensors: classes x knots of a band, and pixels of a group of tiles (in the CPU's cache).
BAND_ELEMENTS = 1 << 19
GROUP_PIXELS = 1 << 16
# Cells are halved while they are longer than this, or longer than MIN_TILE with many candidates.
MAX_TILE, MIN_TILE = 24, 4
MANY_CANDIDATES = 4
# Entries that may be held at once when cells are halved.
MAX_ENTRIES = 1 << 19


class Band(NamedTuple):
    """Rows of cells of one step: first cell, last cell + 1, first knot, last knot, output rows."""

    first: int
    last: int
    first_knot: int
    last_knot: int
    rows: slice


class Entries(NamedTuple):
    """Candidates of the cells: four corner values (E,) each, cell (E,) and phrase (E,), phrases ascending in a cell."""

    corners: tuple[Tensor, Tensor, Tensor, Tensor]
    cell: Tensor
    phrase: Tensor

    def __getitem__(self, chosen: Tensor) -> Entries:
        corners = tuple(corner.index_select(0, chosen) for corner in self.corners)
        return Entries(corners, self.cell.index_select(0, chosen), self.phrase.index_select(0, chosen))


def tiled_winners(
    grid: Tensor, plan_y: TilePlan, plan_x: TilePlan, slack: float, labels: Tensor, best: Tensor | None
) -> None:
    """Write the winning phrase (H, W) of a grid (S, P, Q), and its logit where ``best`` (H, W) is given.

    ``slack`` covers the rounding of logits: candidates are dropped only if they stay behind by more.
    """
    cells_per_band = max(BAND_ELEMENTS // (len(grid) * max(plan_x.num_knots, grid.shape[2])), 1)
    for band in _bands(plan_y, cells_per_band):
        knots = _knot_values(grid, band, plan_y, plan_x)
        entries = find_candidates(knots, plan_y.stride, plan_x.stride, slack)
        cells = (band.last - band.first) * plan_x.num_cells
        length, level = max(plan_y.cell_length, plan_x.cell_length), 0
        while _worth_halving(length, len(entries.cell), cells):
            entries = halve_cells(entries, cells, slack)
            length, level, cells = length / 2, level + 1, cells * 4
        top = None if best is None else best[band.rows]
        _paint(knots, entries, level, band, plan_y, plan_x, labels[band.rows], top)


def _worth_halving(length: float, entries: int, cells: int) -> bool:
    if length > MAX_TILE:
        return True
    return length >= 2 * MIN_TILE and MANY_CANDIDATES * cells < entries < MAX_ENTRIES


def _bands(plan: TilePlan, cells_per_band: int) -> Iterator[Band]:
    total = plan.num_cells
    firsts = range(0, total, cells_per_band)
    edges = torch.tensor([*firsts, total], device=plan.cell.device)
    rows = torch.searchsorted(plan.cell, edges).tolist()
    for first, start, stop in zip(firsts, rows, rows[1:]):
        if start == stop:
            continue
        last = min(first + cells_per_band, total)
        last_knot = min((last - 1) * plan.stride + 1, plan.num_knots - 1)
        yield Band(first, last, first * plan.stride, last_knot, slice(start, stop))


def _knot_values(grid: Tensor, band: Band, plan_y: TilePlan, plan_x: TilePlan) -> Tensor:
    """(S, Ky, Kx) values at the band's knots."""
    if plan_y.knots is None:
        out = grid[:, band.first_knot : band.last_knot + 1]
    else:
        rows = plan_y.knots[slice(band.first_knot, band.last_knot + 1)]
        low, high = int(rows.index.min()), int(rows.index.max()) + 1
        out = apply_axis(grid[:, low:high], AxisMatrix(rows.index - low, rows.weight, high - low), 1)
    return (out if plan_x.knots is None else apply_axis(out, plan_x.knots, 2)).contiguous()


def _pairwise(values: Tensor, stride: int, dim: int, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Combine the two knots of every cell along a dimension."""
    size = values.shape[dim]
    if size == 1:
        return values
    if stride == 1:
        return combine(values.narrow(dim, 0, size - 1), values.narrow(dim, 1, size - 1))
    pairs = values.unflatten(dim, (size // 2, 2))
    return combine(pairs.select(dim + 1, 0), pairs.select(dim + 1, 1))


def find_candidates(knots: Tensor, stride_y: int, stride_x: int, slack: float) -> Entries:
    """Phrases that can win somewhere in a cell, from their values (S, Ky, Kx) at the knots.

    Bounds: the largest corner value must reach the best smallest corner value. Dominance: the phrase must not be behind
    the one with the best smallest corner at all four corners.
    """
    high = _pairwise(_pairwise(knots, stride_x, 2, torch.maximum), stride_y, 1, torch.maximum)
    low = _pairwise(_pairwise(knots, stride_x, 2, torch.minimum), stride_y, 1, torch.minimum)
    cells_y, cells_x = high.shape[1:]
    phrase, cell = (high >= low.amax(0) - slack).flatten(1).nonzero(as_tuple=True)
    del high, low
    _, lines, columns = knots.shape
    corner_y = torch.arange(cells_y, device=knots.device) * stride_y
    corner_x = torch.arange(cells_x, device=knots.device) * stride_x
    base, flat = phrase * (lines * columns), knots.view(-1)
    corners = []
    for y in (corner_y, (corner_y + 1).clamp(max=lines - 1)):
        for x in (corner_x, (corner_x + 1).clamp(max=columns - 1)):
            offset = (y[:, None] * columns + x).flatten()
            corners.append(flat.index_select(0, offset.index_select(0, cell).add_(base)))
    return _undominated(Entries(tuple(corners), cell, phrase), cells_y * cells_x, slack)


def _minimum(corners: tuple[Tensor, ...]) -> Tensor:
    a, b, c, d = corners
    return torch.minimum(torch.minimum(a, b), torch.minimum(c, d))


def _maximum(corners: tuple[Tensor, ...]) -> Tensor:
    a, b, c, d = corners
    return torch.maximum(torch.maximum(a, b), torch.maximum(c, d))


def _undominated(entries: Entries, cells: int, slack: float) -> Entries:
    """The entries that their cell's entry with the best smallest corner (the first of equals) does not dominate."""
    corners, cell, phrase = entries
    low = _minimum(corners)
    best = low.new_full((cells,), -torch.inf).scatter_reduce_(0, cell, low, "amax")
    top = (low == best.index_select(0, cell)).nonzero().flatten()
    champion = torch.full((cells,), len(cell), device=cell.device)
    champion = champion.scatter_reduce_(0, cell.index_select(0, top), top, "amin").index_select(0, cell)
    ahead = _maximum(tuple(corner - corner.index_select(0, champion) for corner in corners))
    # At an exact tie the lower phrase wins: a higher one may go at once, a lower one only beyond rounding.
    keep = (ahead > 0) | (champion == torch.arange(len(cell), device=cell.device))
    keep |= (ahead >= -slack) & (phrase < phrase.index_select(0, champion))
    return entries[keep.nonzero().flatten()]


def halve_cells(entries: Entries, cells: int, slack: float) -> Entries:
    """Candidates of the four quarters of every cell by the bounds rule; quarter q of cell c gets the number 4 c + q."""
    a, b, c, d = entries.corners
    top, bottom, left, right = (a + b) / 2, (c + d) / 2, (a + c) / 2, (b + d) / 2
    middle = (top + bottom) / 2
    quarters = ((a, top, left, middle), (top, b, middle, right), (left, middle, c, bottom), (middle, right, bottom, d))
    parts = []
    for number, corners in enumerate(quarters):
        low = _minimum(corners)
        best = low.new_full((cells,), -torch.inf).scatter_reduce_(0, entries.cell, low, "amax").sub_(slack)
        keep = (_maximum(corners) >= best.index_select(0, entries.cell)).nonzero().flatten()
        part = Entries(corners, entries.cell, entries.phrase)[keep]
        parts.append(part._replace(cell=part.cell.mul_(4).add_(number)))
    corners = tuple(torch.cat(corner) for corner in zip(*(part.corners for part in parts)))
    return Entries(corners, torch.cat([part.cell for part in parts]), torch.cat([part.phrase for part in parts]))


def _table(entries: Entries, cells: int) -> tuple[Tensor, Tensor]:
    """Candidates (n, cells) of every cell in ascending order, padded with 0, and their number (cells,)."""
    cell, order = entries.cell.to(torch.int32).sort(stable=True)
    cell = cell.long()
    count = torch.bincount(cell, minlength=cells)
    rank = torch.arange(len(cell), device=cell.device) - (count.cumsum(0) - count).index_select(0, cell)
    table = torch.zeros(int(count.max()), cells, dtype=torch.int64, device=cell.device)
    table.view(-1).index_copy_(0, rank.mul_(cells).add_(cell), entries.phrase.index_select(0, order))
    return table, count


def _quarter_number(cell: Tensor, part_y: Tensor, part_x: Tensor, level: int) -> Tensor:
    """Number of a tile's part of a cell after ``level`` halvings, as ``halve_cells`` counts."""
    for bit in range(level - 1, -1, -1):
        cell = cell * 4 + ((part_y >> bit) & 1) * 2 + ((part_x >> bit) & 1)
    return cell


def _paint(
    knots: Tensor,
    entries: Entries,
    level: int,
    band: Band,
    plan_y: TilePlan,
    plan_x: TilePlan,
    labels: Tensor,
    best: Tensor | None,
) -> None:
    """Labels (h, W) of a band: evaluate tiles in groups with similar numbers of candidates, then lay them out."""
    rows, cols = plan_y.tiles(level, band.rows), plan_x.tiles(level)
    tall, wide = len(rows.cell), len(cols.cell)
    height, width = len(rows.near_weight), len(cols.near_weight)
    tile_y = torch.arange(tall, device=knots.device).repeat_interleave(wide)
    tile_x = torch.arange(wide, device=knots.device).repeat(tall)
    base = (rows.cell[tile_y] - band.first) * plan_x.num_cells + cols.cell[tile_x]
    cell = _quarter_number(base, rows.part[tile_y], cols.part[tile_x], level)
    phrase, count = _table(entries, (band.last - band.first) * plan_x.num_cells * 4**level)
    # Most candidates first: those with a j-th candidate are then a prefix.
    order = count.index_select(0, cell).argsort(descending=True)
    tile_y, tile_x, cell = (t.index_select(0, order) for t in (tile_y, tile_x, cell))
    line = knots.shape[2]
    knot_y = ((rows.near - band.first_knot) * line, (rows.far - band.first_knot) * line)
    winner = torch.empty(len(order), height * width, dtype=torch.int32, device=knots.device)
    value = None if best is None else knots.new_empty(winner.shape)
    step = max(GROUP_PIXELS // (height * width), 1) * (1 if knots.device.type == "cpu" else 64)
    for start in range(0, len(order), step):
        group = slice(start, start + step)
        ty, tx, chosen = tile_y[group], tile_x[group], cell[group]
        offsets = [y.index_select(0, ty) + x.index_select(0, tx) for y in knot_y for x in (cols.near, cols.far)]
        weights_y = [weight.index_select(1, ty)[:, None] for weight in (rows.near_weight, rows.far_weight)]
        weights_x = [weight.index_select(1, tx) for weight in (cols.near_weight, cols.far_weight)]
        candidates = (phrase.index_select(1, chosen), count.index_select(0, chosen))
        label, top = _evaluate(knots, *candidates, offsets, weights_y, weights_x, value is not None)
        winner.index_copy_(0, order[group], label.flatten(0, 1).to(torch.int32).T)
        if value is not None:
            value.index_copy_(0, order[group], top.flatten(0, 1).T)
    pixel_y, pixel_x = rows.tile * height + rows.place, cols.tile * width + cols.place
    for source, target in ((winner, labels), (value, best)):
        if target is not None:
            source = source.view(tall, wide, height, width).transpose(1, 2).reshape(tall * height, wide * width)
            target.copy_(source.index_select(0, pixel_y).index_select(1, pixel_x))


def _evaluate(
    knots: Tensor,
    phrase: Tensor,
    count: Tensor,
    offsets: list[Tensor],
    weights_y: list[Tensor],
    weights_x: list[Tensor],
    need_value: bool,
) -> tuple[Tensor, Tensor | None]:
    """Winning phrase and value (L_y, L_x, T) of T tiles with candidates (n, T), ordered by descending count."""
    active = (count > torch.arange(int(count[0]), device=count.device)[:, None]).sum(1).tolist()
    if len(active) == 1 and not need_value:
        return phrase[0].expand(len(weights_y[0]), len(weights_x[0]), -1), None
    flat, plane = knots.view(-1), knots[0].numel()
    best = label = None
    for j, tiles in enumerate(active):
        base = phrase[j, :tiles] * plane
        near_near, near_far, far_near, far_far = (flat.index_select(0, base + offset[:tiles]) for offset in offsets)
        near_x, far_x = weights_x[0][:, :tiles], weights_x[1][:, :tiles]
        # The arithmetic of F.interpolate on the CPU: fused multiply-add, far side first, columns before rows.
        near = (near_far * far_x).addcmul_(near_near, near_x)
        far = (far_far * far_x).addcmul_(far_near, near_x)
        value = (far * weights_y[1][..., :tiles]).addcmul_(near, weights_y[0][..., :tiles])
        if best is None:
            # Labels are floats here (exact below 2^24): comparisons and selection then run in vector instructions.
            best, label = value, phrase[0].to(value.dtype).expand(value.shape).contiguous()
            continue
        leader, leading = best[..., :tiles], label[..., :tiles]
        better = torch.gt(value, leader, out=torch.empty_like(value))
        leading.addcmul_(better, phrase[j, :tiles].to(value.dtype) - leading)
        torch.maximum(leader, value, out=leader)
    return label, best
