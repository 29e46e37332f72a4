"""Background policies on finished label maps.

Shapes: B images, K classes, H x W pixels. Labels are class indices; the background is a class index too.
"""

from __future__ import annotations

import torch
from torch import Tensor


def background_by_threshold(labels: Tensor, probability: Tensor, threshold: float, background_index: int = 0) -> Tensor:
    """Labels (B,H,W) with every pixel of top probability (B,H,W) below ``threshold`` set to the background."""
    return torch.where(probability < threshold, torch.full_like(labels, background_index), labels)


def background_by_objectness(
    labels: Tensor, foreground: Tensor, threshold: float = 0.5, background_index: int = 0
) -> Tensor:
    """Labels (B,H,W) with every pixel whose foreground probability (B,H,W) does not exceed ``threshold`` set to the
    background."""
    return torch.where(foreground > threshold, labels, torch.full_like(labels, background_index))


def classes_by_area(labels: Tensor, num_classes: int, threshold: float, background_index: int = 0) -> Tensor:
    """Which classes cover more than ``threshold`` of the foreground, (B,H,W) -> (B,K) bool; background always stays.

    The area filter of SCLIP (arXiv 2312.01597, official VOC21 set-up): the foreground is everything whose label is not
    the background.
    """
    counts = torch.stack([torch.bincount(one.flatten().long(), minlength=num_classes) for one in labels])
    if counts.shape[1] > num_classes:
        raise ValueError(f"labels reach {counts.shape[1] - 1} but there are {num_classes} classes")
    foreground = counts.clone()
    foreground[:, background_index] = 0
    keep = foreground > threshold * foreground.sum(dim=1, keepdim=True)
    keep[:, background_index] = True
    return keep
