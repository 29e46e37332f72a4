"""RoIAlign as two matrix products, which serve several bin sizes of the same samples.

A bilinear sample is separable: the mean over a bin's samples is a weighted sum over rows of one over columns.
So bins that are averaged afterwards (a pooled shortcut) are sampled once, at their final size.

Shapes: H x W map, C channels, R boxes, P x Q bins.
"""

from __future__ import annotations

import torch
from torch import Tensor


def separable_roi_align(rows: Tensor, boxes: Tensor, bins: tuple[int, int], scale: float, merge: int = 1) -> Tensor:
    """RoIAlign (aligned, as many samples as Detectron2 takes by itself), (H,W,C) x (R,4) -> (R,P,Q,C).

    Args:
        rows: one map, channels last.
        boxes: xyxy in pixels of the input.
        bins: P and Q, before merging.
        scale: cells per pixel.
        merge: means of merge x merge bins: the result of RoIAlign and average pooling, (R,P/merge,Q/merge,C).
    """
    height, width, channels = rows.shape
    boxes = boxes.to(rows)
    down, top, bottom = _axis(boxes[:, 1], boxes[:, 3], bins[0], scale, height, merge)
    across, left, right = _axis(boxes[:, 0], boxes[:, 2], bins[1], scale, width, merge)
    out = rows.new_empty(len(boxes), bins[0] // merge, bins[1] // merge, channels)
    parts = []
    for index, (y0, y1, x0, x1) in enumerate(zip(top, bottom, left, right)):
        part = rows[y0:y1, x0:x1]
        part = down[index, :, y0:y1] @ part.flatten(1)
        part = torch.matmul(across[index, :, x0:x1], part.view(-1, x1 - x0, channels))
        if rows.requires_grad:
            parts.append(part)
        else:
            out[index] = part
    return torch.stack(parts) if parts else out


def _axis(
    start: Tensor, end: Tensor, bins: int, scale: float, length: int, merge: int
) -> tuple[Tensor, list[int], list[int]]:
    """Weights (R, bins / merge, length) of the cells along one axis, and the first and last cell that count."""
    start, end = start * scale - 0.5, end * scale - 0.5
    size = (end - start) / bins
    samples = size.ceil()  # 0 for an empty box, whose bins are zero
    most = max(int(samples.max()), 1) if len(samples) else 1
    step = torch.arange(most, device=start.device)
    of_bin = torch.arange(bins, device=start.device).view(1, -1, 1)
    position = start.view(-1, 1, 1) + size.view(-1, 1, 1) * (
        of_bin + (step + 0.5) / samples.clamp(min=1).view(-1, 1, 1)
    )
    counts = (step < samples.view(-1, 1, 1)) & (position >= -1) & (position <= length)
    value = counts / samples.clamp(min=1).view(-1, 1, 1) / merge
    clamped = position.clamp(0, length - 1)
    low = clamped.floor()
    high_weight = (clamped - low) * value
    low = low.long()
    weights = start.new_zeros(len(start), bins // merge, length)
    group = (len(start), bins // merge, merge * most)
    weights.scatter_add_(2, low.reshape(group), (value - high_weight).reshape(group))
    weights.scatter_add_(2, (low + 1).clamp(max=length - 1).reshape(group), high_weight.reshape(group))
    touched = (weights != 0).any(1)
    first = touched.int().argmax(1)
    last = length - touched.flip(1).int().argmax(1)
    return weights, first.tolist(), last.tolist()
