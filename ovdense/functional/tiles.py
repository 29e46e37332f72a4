"""Cutting an output axis into tiles on which it is linear between two knots.

On a tile every output of an ``AxisMatrix`` is ``near * knot[a] + far * knot[b]`` with near, far >= 0 and near + far = 1:
a class can win on a tile of the image only if its largest corner value reaches the best smallest corner value.

Shapes: N outputs and M inputs of an axis, K knots, C cells (pairs of knots), T tiles of at most L outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix

# Longest tile: longer ones have looser bounds, shorter ones more bookkeeping.
MAX_TILE = 16
# Second difference (sum of absolute weights) below which three outputs count as collinear: the rounding of
# F.interpolate's positions stays below 1e-4, a real kink between two patches of stride s is about 2 / s.
KINK = 1e-3


@dataclass(frozen=True)
class TilePlan:
    """The tiles of one axis.

    Args:
        knots: (K, M) matrix of the knots, or None if they are the inputs themselves.
        stride: 1 if cell c lies between the knots c and c + 1, 2 if between 2c and 2c + 1.
        cell: (T,) cell that holds the tile (its bounds).
        near, far: (T,) the two knots that the tile's outputs are made of.
        near_weight, far_weight: (L, T) their weights; outputs past a tile's end repeat its last one.
        tile, place: (N,) tile of an output, and its position in the tile.
        slack: bound of what the two-knot form misses, sum of absolute weights.
        num_knots: K.
    """

    knots: AxisMatrix | None
    stride: int
    cell: Tensor
    near: Tensor
    far: Tensor
    near_weight: Tensor
    far_weight: Tensor
    tile: Tensor
    place: Tensor
    slack: float
    num_knots: int

    @property
    def num_cells(self) -> int:
        """C."""
        return max(self.num_knots - 1, 1) if self.stride == 1 else self.num_knots // 2

    @property
    def mean_length(self) -> float:
        """Outputs per tile."""
        return len(self.tile) / len(self.cell)

    def to(self, device: torch.device | str) -> TilePlan:
        """The plan on another device."""
        tensors = {name: t.to(device) for name, t in vars(self).items() if isinstance(t, Tensor)}
        knots = None if self.knots is None else self.knots.to(device)
        return TilePlan(**{**vars(self), **tensors, "knots": knots})


def plan_tiles(matrix: AxisMatrix, max_tile: int = MAX_TILE) -> TilePlan:
    """Tiles of an axis: between neighbouring inputs for one bilinear resize, between own outputs otherwise."""
    matrix = matrix.to("cpu")
    shared = _two_taps(matrix)
    if shared is not None and _runs(shared).max() <= 2 * max_tile:
        return _shared_plan(matrix, shared, max_tile)
    return _end_plan(matrix, max_tile)


def _two_taps(matrix: AxisMatrix) -> Tensor | None:
    """(N,) lower input of every output if all outputs lie between neighbouring inputs in order, else None."""
    if matrix.taps > 2:
        return None
    low, high = matrix.index[:, 0], matrix.index[:, -1]
    neighbours = (high - low <= 1).all() and (high >= low).all() and (low[1:] >= low[:-1]).all()
    return low if neighbours else None


def _runs(values: Tensor) -> Tensor:
    return torch.unique_consecutive(values, return_counts=True)[1]


def _shared_plan(matrix: AxisMatrix, low: Tensor, max_tile: int) -> TilePlan:
    lengths = []
    typical = min(int(_runs(low).median()), max_tile)
    for run in _runs(low).tolist():
        while run > 0:
            lengths.append(min(run, max(typical, 1)))
            run -= lengths[-1]
    start, rows, tile, place = _layout(lengths)
    weight = matrix.weight if matrix.taps == 2 else torch.cat([matrix.weight, torch.zeros_like(matrix.weight)], 1)
    return TilePlan(
        knots=None,
        stride=1,
        cell=low[start].clamp(max=max(matrix.size_in - 2, 0)),
        near=low[start],
        far=(low[start] + 1).clamp(max=matrix.size_in - 1),  # a row's second tap may be unused and repeat the first
        near_weight=weight[:, 0][rows].T.contiguous(),
        far_weight=weight[:, 1][rows].T.contiguous(),
        tile=tile,
        place=place,
        slack=0.0,
        num_knots=matrix.size_in,
    )


def _end_plan(matrix: AxisMatrix, max_tile: int) -> TilePlan:
    kink = _second_difference(matrix) > KINK
    lengths, length = [], 0
    for is_kink in kink.tolist():
        length += 1
        # A kink may be the end or the start of a tile; two outputs are always collinear.
        if length == max_tile or (is_kink and length > 1):
            lengths.append(length)
            length = 0
    if length:
        lengths.append(length)
    start, rows, tile, place = _layout(lengths)
    end = rows[:, -1]
    fraction, slack = _fractions(matrix, rows, start, end)
    knots = matrix[torch.stack([start, end], 1).flatten()]
    count = torch.arange(len(lengths))
    return TilePlan(
        knots=knots,
        stride=2,
        cell=count,
        near=2 * count,
        far=2 * count + 1,
        near_weight=(1 - fraction).T.contiguous(),
        far_weight=fraction.T.contiguous(),
        tile=tile,
        place=place,
        slack=slack,
        num_knots=2 * len(lengths),
    )


def _layout(lengths: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Starts (T,), padded output rows (T, L), tile (N,) and place (N,) of consecutive tiles."""
    length = torch.tensor(lengths)
    start = length.cumsum(0) - length
    offset = torch.minimum(torch.arange(max(lengths))[None], length[:, None] - 1)
    tile = torch.repeat_interleave(torch.arange(len(lengths)), length)
    return start, start[:, None] + offset, tile, torch.arange(int(length.sum())) - start[tile]


def _second_difference(matrix: AxisMatrix) -> Tensor:
    """(N,) sum of absolute weights of out[n - 1] - 2 out[n] + out[n + 1]; 0 at both ends."""
    out = matrix.weight.new_zeros(len(matrix))
    for block in range(1, len(matrix) - 1, 1024):
        dense = matrix[slice(block - 1, block + 1025)].dense()
        if len(dense) > 2:
            out[block : block + len(dense) - 2] = (dense[:-2] - 2 * dense[1:-1] + dense[2:]).abs().sum(1)
    return out


def _fractions(matrix: AxisMatrix, rows: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, float]:
    """(T, L) position of every output between its tile's ends, and the largest remainder."""
    fractions, slack = [], 0.0
    for block in range(0, len(rows), 64):
        part = slice(block, block + 64)
        first, last = matrix[start[part]].dense().double(), matrix[end[part]].dense().double()
        inner = matrix[rows[part].flatten()].dense().double().view(*rows[part].shape, -1)
        span, offset = (last - first)[:, None], inner - first[:, None]
        fraction = ((offset * span).sum(-1) / (span * span).sum(-1).clamp(min=1e-30)).clamp(0, 1)
        slack = max(slack, float((offset - fraction[..., None] * span).abs().sum(-1).max()))
        fractions.append(fraction)
    return torch.cat(fractions).to(matrix.weight.dtype), slack
