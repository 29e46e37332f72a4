"""Keeping one of several regions of a class that lie in each other: the whole, or the part, whichever scores best.

Shapes: R regions in the order of falling score.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shared_area(boxes: Tensor) -> Tensor:
    """Intersection over the smaller of two boxes, (R,4) -> (R,R) in [0, 1]."""
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = (high - low).clamp(min=0).prod(dim=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
    return inter / torch.minimum(area[:, None], area[None, :]).clamp(min=torch.finfo(boxes.dtype).eps)


def drop_nested(shared: Tensor, labels: Tensor, threshold: float, other_threshold: float = 1.0) -> Tensor:
    """Indices (M,) of the regions that share no more than ``threshold`` with a better one of their class.

    Args:
        shared: (R,R), intersection over the smaller region.
        labels: (R,) class of each region.
        other_threshold: most that may be shared with a better region of another class; 1 for any.
    """
    limit = torch.where(labels[:, None] == labels[None, :], threshold, other_threshold)
    clash = (shared > limit).cpu()
    alive = torch.ones(len(labels), dtype=torch.bool)
    for index in range(len(labels)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return alive.nonzero().flatten().to(labels.device)


def best_of_each_class(labels: Tensor, count: int) -> Tensor:
    """Indices (M,) of the first ``count`` regions of every class, (R,) -> (M,), in their order."""
    same = labels[:, None] == labels[None, :]
    rank = same.tril(-1).sum(dim=1)
    return (rank < count).nonzero().flatten()
