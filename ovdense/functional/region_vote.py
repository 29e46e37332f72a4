"""One label a region: region maps from overlapping masks, and the majority vote of the labels inside a region.

Shapes: H x W pixels, R masks, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

OVERLAPS = ("largest", "smallest", "first")


def paint_masks(masks: Iterable[Tensor], size: tuple[int, int], areas: Tensor, overlap: str = "largest") -> Tensor:
    """Region ids (H,W) int64 of masks that may overlap: 0 where there is none, mask i as i + 1.

    Args:
        masks: R masks (H,W) bool, looked at one at a time.
        areas: (R,) pixels of each.
        overlap: who keeps a pixel of several masks: the ``largest`` (as CorrCLIP's code paints SAM's masks), the
            ``smallest``, or the ``first``.
    """
    if overlap not in OVERLAPS:
        raise ValueError(f"overlap must be one of {OVERLAPS}, got {overlap!r}")
    areas = areas.to(torch.float64).cpu()
    order = {"largest": areas, "smallest": -areas, "first": -torch.arange(len(areas), dtype=torch.float64)}[overlap]
    rank = order.argsort(stable=True).argsort(stable=True)  # painted later, seen on top
    ids = torch.zeros(size, dtype=torch.int64)
    height = torch.full(size, -1, dtype=torch.int64)
    for number, mask in enumerate(masks):
        mask = mask.cpu().bool()
        if tuple(mask.shape) != tuple(size):
            raise ValueError(f"mask {number} is {tuple(mask.shape)} pixels, the picture {tuple(size)}")
        mask = mask & (height < rank[number])
        ids[mask], height[mask] = number + 1, rank[number]
    return ids


def majority_vote(labels: Tensor, ids: Tensor, unsegmented: str = "zero") -> Tensor:
    """Every region's most frequent label for all of it, (H,W) -> (H,W); the lowest of equally frequent ones.

    CorrCLIP (arXiv 2411.10086), section 3.5. It takes the memory of a few label maps, however many regions and classes
    there are.

    Args:
        labels: (H,W) integers.
        ids: (H,W) region of each pixel.
        unsegmented: pixels that keep their labels: those of id 0 or below (``zero``), or those of the lowest id there
            is, even where it is a region (``smallest``, the official code).
    """
    if labels.shape != ids.shape:
        raise ValueError(f"labels are {tuple(labels.shape)} but the regions are {tuple(ids.shape)}")
    if unsegmented not in ("zero", "smallest"):
        raise ValueError(f"unsegmented must be 'zero' or 'smallest', got {unsegmented!r}")
    ids = ids.to(labels.device).long()
    inside = ids > (ids.min() if unsegmented == "smallest" else 0)
    if not inside.any():
        return labels
    votes = labels[inside].long()
    _, region = ids[inside].unique(return_inverse=True)
    classes = int(votes.max()) + 1
    pairs, count = (region * classes + votes).unique(return_counts=True)  # sorted: by region, then by label
    owner = pairs // classes
    regions = int(region.max()) + 1
    most = count.new_zeros(regions).scatter_reduce_(0, owner, count, "amax")
    label = torch.where(count == most[owner], pairs % classes, classes)
    winner = label.new_full((regions,), classes).scatter_reduce_(0, owner, label, "amin")
    voted = labels.clone()
    voted[inside] = winner[region].to(labels.dtype)
    return voted
