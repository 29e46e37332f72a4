"""RoIAlign (arXiv 1703.06870) in plain torch, sample for sample as the C++ operators.

Every output bin is a weighted sum of feature rows, so one ``embedding_bag`` over the channels-last map gives all bins
of all regions without holding the samples.

Shapes: R regions, C channels, H x W feature map, P x Q output bins, g x k samples in a bin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

TAP_BUDGET = 4_000_000
EMPTY_MAX = -10000.0  # what the C++ operators give for the maximum of a bin without samples


class _Geometry(NamedTuple):
    """Regions on the feature map: image index (R,), top-left corner (R,), bin sizes (R,), samples in a bin (R, 2)."""

    image: Tensor
    y: Tensor
    x: Tensor
    bin_height: Tensor
    bin_width: Tensor
    samples: Tensor


def roi_align_average(
    features: Tensor,
    rois: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Tensor:
    """Mean of the bilinear samples of each bin, (B,C,H,W) x (R,5) -> (R,C,P,Q); differentiable in ``features``.

    Args:
        rois: rows (image index, x1, y1, x2, y2) in input pixels.
        spatial_scale: feature cells per input pixel.
        sampling_ratio: samples in a bin along each axis; 0 or less takes ceil(region / bins).
        aligned: shift by half a cell, as Detectron2 does.
    """
    channels = features.shape[1]
    if len(rois) == 0:
        return features[:0, :, :1, :1].expand(0, channels, *output_size)
    rows = _as_rows(features)
    geometry = _geometry(rois.detach().to(rows.dtype), output_size, spatial_scale, sampling_ratio, aligned)
    pieces, members = [], []
    for member, ids, weights in _taps(geometry, output_size, features.shape[-2:]):
        if ids.numel():
            weights = weights / (ids.shape[2] * ids.shape[5])
            piece = F.embedding_bag(_by_bin(ids), rows, per_sample_weights=_by_bin(weights), mode="sum")
        else:
            piece = rows.new_zeros(len(member) * output_size[0] * output_size[1], channels)
        pieces.append(piece.view(len(member), *output_size, channels))
        members.append(member)
    pooled = torch.cat(pieces)[torch.cat(members).argsort()]
    return pooled.permute(0, 3, 1, 2).to(features.dtype).contiguous()


def roi_align_average_backward(grad: Tensor, rois: Tensor, input_shape: tuple[int, ...], **options) -> Tensor:
    """Gradient of :func:`roi_align_average` with respect to the features, (R,C,P,Q) -> (B,C,H,W)."""
    with torch.enable_grad():
        features = grad.new_zeros(input_shape, requires_grad=True)
        pooled = roi_align_average(features, rois, grad.shape[-2:], **options)
        return torch.autograd.grad(pooled, features, grad)[0]


def roi_align_max(
    features: Tensor,
    rois: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Largest bilinear sample of each bin and its (y, x) on the feature map, three tensors (R,C,P,Q).

    A bin without samples gives -10000 at (-1, -1), as the C++ operators do.
    """
    rows = _as_rows(features.detach())
    geometry = _geometry(rois.detach().to(rows.dtype), output_size, spatial_scale, sampling_ratio, aligned)
    shape = (len(rois), *output_size, features.shape[1])
    best, at_y, at_x = rows.new_full(shape, EMPTY_MAX), rows.new_full(shape, -1), rows.new_full(shape, -1)
    for member, ids, weights in _taps(geometry, output_size, features.shape[-2:], cost=features.shape[1] / 4):
        if not ids.numel():
            continue
        down, across = ids.shape[2], ids.shape[5]  # ids are (r, P, g, 2, Q, k, 2)
        samples = F.embedding_bag(_by_sample(ids), rows, per_sample_weights=_by_sample(weights), mode="sum")
        samples = samples.view(len(member), *output_size, down * across, -1)
        index = samples.argmax(dim=3)
        value = samples.gather(3, index.unsqueeze(3)).squeeze(3)
        real = value > EMPTY_MAX
        y = _positions(geometry.y, geometry.bin_height, output_size[0], down, member)[:, :, None, :]
        x = _positions(geometry.x, geometry.bin_width, output_size[1], across, member)[:, None, :, :]
        y = y.expand(-1, -1, output_size[1], -1).gather(3, index // across)
        x = x.expand(-1, output_size[0], -1, -1).gather(3, index % across)
        best[member] = torch.where(real, value, best[member])
        at_y[member] = torch.where(real, y, at_y[member])
        at_x[member] = torch.where(real, x, at_x[member])
    return tuple(item.permute(0, 3, 1, 2).to(features.dtype).contiguous() for item in (best, at_y, at_x))


def roi_align_max_backward(grad: Tensor, rois: Tensor, at_y: Tensor, at_x: Tensor, input_shape: tuple) -> Tensor:
    """Gradient of :func:`roi_align_max` with respect to the features: it goes to the four cells of each maximum."""
    _, channels, height, width = input_shape
    images = rois[:, 0].long().view(-1, 1, 1, 1)
    planes = (images * channels + torch.arange(channels, device=grad.device).view(1, -1, 1, 1)) * (height * width)
    y_ids, y_weights = _axis_taps(at_y, height)
    x_ids, x_weights = _axis_taps(at_x, width)
    weights = y_weights.unsqueeze(-1) * x_weights.unsqueeze(-2) * (grad * (at_y != -1))[..., None, None]
    ids = planes[..., None, None] + y_ids.unsqueeze(-1) * width + x_ids.unsqueeze(-2)
    flat = grad.new_zeros(input_shape).flatten()
    return flat.index_add_(0, ids.flatten(), weights.flatten()).view(input_shape)


def _as_rows(features: Tensor) -> Tensor:
    """(B,C,H,W) -> (B*H*W, C), in float32 at least."""
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    return rows.float() if rows.dtype in (torch.float16, torch.bfloat16) else rows


def _geometry(rois: Tensor, output_size: tuple, spatial_scale: float, sampling_ratio: int, aligned: bool) -> _Geometry:
    boxes = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    size = boxes[:, 2:] - boxes[:, :2]
    if aligned:
        if (size < 0).any():
            raise ValueError(f"roi_align needs x1 <= x2 and y1 <= y2, got {rois[(size < 0).any(1)][0, 1:].tolist()}")
    else:
        size = size.clamp(min=1.0)
    bin_width, bin_height = size[:, 0] / output_size[1], size[:, 1] / output_size[0]
    if sampling_ratio > 0:
        samples = torch.full((len(rois), 2), sampling_ratio, dtype=torch.long, device=rois.device)
    else:
        samples = torch.stack([bin_height, bin_width], dim=1).ceil().nan_to_num(0.0).long()
    return _Geometry(rois[:, 0].long(), boxes[:, 1], boxes[:, 0], bin_height, bin_width, samples)


def _taps(
    geometry: _Geometry, output_size: tuple, map_size: tuple, cost: float = 1.0
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Regions with equal sample counts, in chunks: members (r,), row ids and weights (r, P, g, 2, Q, k, 2)."""
    height, width = map_size
    counts, group = geometry.samples.unique(dim=0, return_inverse=True)
    for index, (down, across) in enumerate(counts.tolist()):
        taps = 4 * down * across * output_size[0] * output_size[1]
        step = max(int(TAP_BUDGET / max(taps * cost, 1)), 1)
        for member in torch.nonzero(group == index).flatten().split(step):
            y = _positions(geometry.y, geometry.bin_height, output_size[0], down, member)
            x = _positions(geometry.x, geometry.bin_width, output_size[1], across, member)
            y_ids, y_weights = _axis_taps(y, height)
            x_ids, x_weights = _axis_taps(x, width)
            y_ids = (geometry.image[member] * height).view(-1, 1, 1, 1) + y_ids
            ids = y_ids[..., None, None, None] * width + x_ids[:, None, None, None]
            yield member, ids, y_weights[..., None, None, None] * x_weights[:, None, None, None]


def _positions(start: Tensor, bin_size: Tensor, bins: int, samples: int, member: Tensor) -> Tensor:
    """Sample coordinates on one axis, -> (r, bins, samples)."""
    start, bin_size = start[member].view(-1, 1, 1), bin_size[member].view(-1, 1, 1)
    of_bin = torch.arange(bins, device=start.device, dtype=start.dtype).view(1, -1, 1)
    of_sample = torch.arange(samples, device=start.device, dtype=start.dtype).view(1, 1, -1) + 0.5
    return start + of_bin * bin_size + of_sample * bin_size / max(samples, 1)


def _axis_taps(position: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The two cells around each coordinate and their weights, both (..., 2); none beyond one cell off the map."""
    inside = (position >= -1) & (position <= length)
    clamped = position.nan_to_num(0.0).clamp(min=0, max=length - 1)
    low = clamped.floor()
    high_weight = clamped - low
    weights = torch.stack([1 - high_weight, high_weight], dim=-1) * inside.unsqueeze(-1)
    low = low.long()
    return torch.stack([low, (low + 1).clamp(max=length - 1)], dim=-1), weights


def _by_bin(taps: Tensor) -> Tensor:
    """(r, P, g, 2, Q, k, 2) -> (r*P*Q, 4*g*k)."""
    bins = taps.shape[0] * taps.shape[1] * taps.shape[4]
    return taps.permute(0, 1, 4, 2, 3, 5, 6).reshape(bins, -1)


def _by_sample(taps: Tensor) -> Tensor:
    """(r, P, g, 2, Q, k, 2) -> (r*P*Q*g*k, 4)."""
    return taps.permute(0, 1, 4, 2, 5, 3, 6).reshape(-1, 4)
