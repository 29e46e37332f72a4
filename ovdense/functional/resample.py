"""Linear resampling along one axis as a small sparse matrix.

Every resize, crop and average of the field's protocols acts on rows and columns separately and linearly:
``out = rows @ x @ cols.T``. An ``AxisMatrix`` is one such factor. Its bilinear weights are, bit for bit, those of
``torch.nn.functional.interpolate`` in float32.

Shapes: N outputs and M inputs of an axis, T taps of one output; x (..., P, Q) -> (..., H, W).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class AxisMatrix:
    """A sparse (N, M) matrix, at most T entries in a row: ``out[n] = sum_t weight[n, t] * x[index[n, t]]``.

    Args:
        index: (N, T) int64 input positions; unused taps repeat a used position.
        weight: (N, T) float weights; unused taps are 0. Rows of averages and interpolations sum to 1.
        size_in: M, the length of the input axis.
    """

    index: Tensor
    weight: Tensor
    size_in: int

    def __len__(self) -> int:
        """N, the length of the output axis."""
        return self.index.shape[0]

    @property
    def taps(self) -> int:
        """T, the number of stored entries of a row."""
        return self.index.shape[1]

    def __getitem__(self, rows: slice | Tensor) -> AxisMatrix:
        """The matrix of some outputs (a slice or an index tensor), for crops and bands."""
        return replace(self, index=self.index[rows], weight=self.weight[rows])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> AxisMatrix:
        """The same matrix on another device, with weights in another dtype if one is given."""
        return replace(self, index=self.index.to(device), weight=self.weight.to(device, dtype or self.weight.dtype))

    def dense(self) -> Tensor:
        """The (N, M) matrix itself; for tests and small axes."""
        out = self.weight.new_zeros(len(self), self.size_in)
        return out.scatter_add_(1, self.index, self.weight)

    def after(self, inner: AxisMatrix) -> AxisMatrix:
        """``self @ inner``: first ``inner`` (M -> K outputs), then this matrix. Weights are multiplied in float64."""
        if inner.index.shape[0] != self.size_in:
            raise ValueError(
                f"the outer matrix takes {self.size_in} inputs but the inner one gives {len(inner)}: "
                "compose matrices in the order in which they act"
            )
        index = inner.index[self.index].flatten(1)
        weight = (self.weight.double()[..., None] * inner.weight.double()[self.index]).flatten(1)
        dtype = torch.promote_types(self.weight.dtype, inner.weight.dtype)
        return _merge_taps(index, weight, inner.size_in, dtype)


def _merge_taps(index: Tensor, weight: Tensor, size_in: int, dtype: torch.dtype) -> AxisMatrix:
    """Add the weights of equal positions of a row, drop zeros, and keep as many taps as the fullest row needs."""
    index, order = index.sort(dim=1, stable=True)
    weight = weight.gather(1, order)
    first = torch.ones_like(index, dtype=torch.bool)
    first[:, 1:] = index[:, 1:] != index[:, :-1]
    slot = first.long().cumsum(1) - 1
    merged = torch.zeros_like(weight).scatter_add_(1, slot, weight)
    position = index[:, :1].expand_as(index).clone().scatter_(1, slot, index)
    # Used taps first; the rest repeat the first used position with weight 0.
    used = merged != 0
    order = (~used).long().sort(dim=1, stable=True).indices
    taps = max(int(used.sum(1).max()), 1)
    merged, position, used = (t.gather(1, order)[:, :taps] for t in (merged, position, used))
    position = torch.where(used, position, position[:, :1])
    return AxisMatrix(index=position.contiguous(), weight=merged.to(dtype), size_in=size_in)


def identity_axis(size: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> AxisMatrix:
    """The (size, size) identity."""
    index = torch.arange(size, device=device)[:, None]
    return AxisMatrix(index, torch.ones(size, 1, device=device, dtype=dtype), size)


def bilinear_axis(
    size_in: int,
    size_out: int,
    *,
    align_corners: bool = False,
    scale_factor: float | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> AxisMatrix:
    """One axis of ``F.interpolate(mode='bilinear')`` from ``size_in`` to ``size_out`` samples, as a two-tap matrix.

    Weights equal F.interpolate's bit for bit (which rounds positions to float32, so that they carry errors of
    about 1e-7 times the position): ``dtype`` is the dtype of the interpolated tensor, float32 or float64.

    Args:
        size_in: samples of the input axis, at least 1.
        size_out: samples of the output axis, at least 1.
        align_corners: as in F.interpolate.
        scale_factor: the factor given to F.interpolate without ``recompute_scale_factor``; it replaces
            size_out / size_in in the positions. Only without align_corners.
    """
    if min(size_in, size_out) < 1:
        raise ValueError(f"an axis needs at least one sample on both sides, got {size_in} -> {size_out}")
    if scale_factor is not None and align_corners:
        raise ValueError(f"scale_factor needs align_corners=False, got scale_factor={scale_factor} with True")
    position = _source_position(size_in, size_out, align_corners, scale_factor, dtype)
    low = position.floor().long().clamp(max=size_in - 1)
    high = (low + 1).clamp(max=size_in - 1)
    fraction = (position - low).clamp(0, 1)
    index, weight = torch.stack([low, high], 1), torch.stack([1 - fraction, fraction], 1)
    return AxisMatrix(index, weight, size_in).to(device)


def _source_position(
    size_in: int, size_out: int, align_corners: bool, scale_factor: float | None, dtype: torch.dtype
) -> Tensor:
    """(size_out,) input coordinates of the outputs, rounded as F.interpolate rounds them (one fused multiply-add)."""
    out = torch.arange(size_out, dtype=dtype)
    if align_corners:
        step = torch.tensor(size_in - 1, dtype=dtype) / max(size_out - 1, 1) if size_out > 1 else out.new_zeros(())
        return out * step
    step = torch.tensor(size_in, dtype=dtype) / size_out
    if scale_factor is not None:
        step = torch.tensor(1.0 / scale_factor, dtype=dtype)
    return ((out + 0.5).double() * step.double() - 0.5).to(dtype).clamp(min=0)


def apply_axis(x: Tensor, matrix: AxisMatrix, dim: int) -> Tensor:
    """The matrix along one dimension of x: that dimension changes from M to N."""
    if x.shape[dim] != matrix.size_in:
        raise ValueError(f"dimension {dim} of the input has {x.shape[dim]} samples, the matrix takes {matrix.size_in}")
    if matrix.taps > 4 and matrix.size_in <= 4096:
        return (x.movedim(dim, -1) @ matrix.dense().to(x).T).movedim(-1, dim)
    shape = [1] * x.ndim
    shape[dim] = len(matrix)
    index, weight = matrix.index.to(x.device), matrix.weight.to(x)
    # Last tap first: F.interpolate rounds w1 * x1 before it adds w0 * x0.
    out = x.index_select(dim, index[:, -1]).mul_(weight[:, -1].view(shape))
    for tap in range(matrix.taps - 2, -1, -1):
        out.addcmul_(x.index_select(dim, index[:, tap]), weight[:, tap].view(shape))
    return out


def apply_separable(x: Tensor, rows: AxisMatrix, cols: AxisMatrix) -> Tensor:
    """The full resampled map, (..., P, Q) -> (..., H, W) with rows (H, P) and cols (W, Q).

    Memory is that of the result: for many classes and only their labels use ``separable_argmax``.
    Equals a chain of F.interpolate, crops and means up to float rounding; a single resize on the CPU bit for bit
    for more than 3 channels and H + W > 128 (F.interpolate adds in another order for smaller ones).
    """
    return apply_axis(apply_axis(x, cols, x.ndim - 1), rows, x.ndim - 2)
