"""Counts of a probability map against a binary mask at many thresholds, and the figures that CLIPSeg reports of them.

Shapes: Q thresholds, N pixels, G groups (phrases).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor


def thresholds(count: int = 51) -> Tensor:
    """The Q = count - 2 thresholds evenly between 0 and 1, both left out."""
    return torch.linspace(0, 1, count, dtype=torch.float64)[1:-1]


def counts_at(probability: Tensor, truth: Tensor, levels: Tensor) -> Tensor:
    """(4,Q) pixels that are true positives, false positives, false negatives, true negatives above each threshold."""
    bins = torch.bucketize(probability.flatten().double(), levels.to(probability.device))  # thresholds below each pixel
    inside = truth.flatten() > 0
    total = len(levels) + 1

    def above(values: Tensor) -> Tensor:
        counted = torch.bincount(values, minlength=total)
        return counted.flip(0).cumsum(0).flip(0)[1:]

    hits, alarms = above(bins[inside]), above(bins[~inside])
    return torch.stack([hits, alarms, inside.sum() - hits, (~inside).sum() - alarms])


def iou(counts: Tensor, smooth: float = 1.0) -> Tensor:
    """IoU (...,Q) of the foreground from counts (...,4,Q); ``smooth`` is added to the union, 1 in the official code."""
    hits, alarms, misses, _ = counts.double().unbind(-2)
    return hits / (smooth + hits + alarms + misses)


def binary_iou(counts: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean (...,Q) of the IoU of foreground and background."""
    return (iou(counts, smooth) + iou(counts.flip(-2)[..., [0, 2, 1, 3], :], smooth)) / 2


def average_precision(counts: Tensor, smooth: float = 1.0) -> float:
    """Area under precision over recall between the outermost thresholds, from counts (4,Q), by trapezoids."""
    hits, alarms, misses, _ = counts.double()
    used = hits + alarms > 0
    points = torch.stack([hits / (smooth + hits + misses), hits / (smooth + hits + alarms)], 1)[used].nan_to_num(0.0)
    points = sorted(set(map(tuple, points.tolist())))
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))
