"""Region labels on patch grids, and attention that stays inside regions. CorrCLIP (arXiv 2411.10086), section 3.

Region maps hold integers: ``UNSEGMENTED`` (0) where no mask lies, ``PADDING`` (-1) where there is no picture, any other
number for a region.

Shapes: B images, H x W pixels, h x w grid of M cells, R regions, D channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

UNSEGMENTED, PADDING = 0, -1
SAMPLING = {"center": "nearest-exact", "corner": "nearest"}
UNSEGMENTED_IDS = ("zero", "smallest")


def resize_regions(ids: Tensor, size: tuple[int, int], sampling: str = "center") -> Tensor:
    """Region ids (..., H, W) at another size (..., *size), as they are at one point of every new cell.

    Args:
        ids: integers of any size; they are never turned into floats.
        sampling: ``center`` of the cell, or ``corner``, its top left one (``F.interpolate`` with ``mode="nearest"``).
    """
    if sampling not in SAMPLING:
        raise ValueError(f"sampling must be one of {tuple(SAMPLING)}, got {sampling!r}")
    for dim, length in ((-2, size[0]), (-1, size[1])):
        if ids.shape[dim] != length:
            place = torch.arange(ids.shape[dim], dtype=torch.float32)[None, None]
            place = F.interpolate(place, size=length, mode=SAMPLING[sampling])[0, 0].long()
            ids = ids.index_select(dim, place.to(ids.device))
    return ids


def merge_regions(ids: Tensor, features: Tensor, eps: float | None = 0.2, unsegmented: str = "zero") -> Tensor:
    """Numbers the regions of every image 1, 2, ..., those that look alike under one number.

    Two regions are alike when the cosine of their mean features is at most ``eps`` below the highest one; likeness is
    passed on (DBSCAN with ``min_samples=1``: the connected parts of that graph).

    Args:
        ids: (B,h,w) region ids.
        features: (B,D,h,w) on the same grid, of any length.
        eps: None merges nothing.
        unsegmented: ``zero``: id 0 is the rest that no mask covers; ``smallest``: the lowest id of each image is, even
            where it is a region, and padding is a region like the others (the official code, window by window).

    Returns:
        (B,h,w) int64: 0 unsegmented, -1 padding, 1..R regions.
    """
    if unsegmented not in UNSEGMENTED_IDS:
        raise ValueError(f"unsegmented must be one of {UNSEGMENTED_IDS}, got {unsegmented!r}")
    if ids.shape[-2:] != features.shape[-2:] or len(ids) != len(features):
        raise ValueError(f"regions {tuple(ids.shape)} do not lie on the grid of features {tuple(features.shape)}")
    rows = F.normalize(features, dim=1).flatten(2).transpose(1, 2)
    return torch.stack([_merge_one(one, row, eps, unsegmented) for one, row in zip(ids, rows)])


def _merge_one(ids: Tensor, rows: Tensor, eps: float | None, unsegmented: str) -> Tensor:
    """The same for one image, (h,w) and unit features (M,D)."""
    ids = ids.long()
    if unsegmented == "smallest":
        values, index = torch.where(ids == PADDING, ids.max() + 1, ids).unique(return_inverse=True)
        number = torch.arange(len(values), device=ids.device)
    else:
        values, index = ids.unique(return_inverse=True)
        is_region = (values != UNSEGMENTED) & (values != PADDING)
        number = torch.where(is_region, is_region.cumsum(0), values)
    index = number[index]
    count = int(number.max()) if len(number) else 0
    if eps is None or count < 2:
        return index
    means = F.normalize(region_means(rows, index.flatten(), count), dim=1)
    similarity = means @ means.T
    group = connected_parts(similarity.max() - similarity <= eps)
    table = torch.cat([index.new_tensor([UNSEGMENTED]), group + 1, index.new_tensor([PADDING])])
    return table[index]  # -1, padding, is the last entry


def region_means(rows: Tensor, index: Tensor, count: int) -> Tensor:
    """Mean feature of the regions 1..count, (M,D) and their numbers (M,) -> (count,D)."""
    inside = index > 0
    sums = rows.new_zeros(count, rows.shape[1]).index_add_(0, index[inside] - 1, rows[inside])
    return sums / torch.bincount(index[inside] - 1, minlength=count).clamp(min=1)[:, None].to(rows)


def connected_parts(linked: Tensor) -> Tensor:
    """The connected part of every node of a symmetric graph (R,R) bool, (R,), numbered 0, 1, ... by first node."""
    count = len(linked)
    linked = linked | torch.eye(count, dtype=torch.bool, device=linked.device)
    label = torch.arange(count, device=linked.device)
    while True:
        lowest = torch.where(linked, label[None], count).amin(1)
        lowest = lowest[lowest]
        if torch.equal(lowest, label):
            return label.unique(return_inverse=True)[1]
        label = lowest


def scope_weights(affinity: Tensor, regions: Tensor, temperature: float = 4.0) -> Tensor:
    """Attention (B,M,M) by the affinity of another model, inside regions only. CorrCLIP, eq. 5 to 7.

    A cell attends to its own region; an unsegmented cell and any other attend to each other where their affinity is
    above the picture's mean. Padding attends to padding alone and does not enter the mean.

    Args:
        affinity: (B,M,M) cosines.
        regions: (B,h,w) of ``merge_regions``.
        temperature: factor of the affinity inside the softmax.
    """
    index = regions.flatten(1)
    if affinity.shape[-1] != index.shape[1]:
        raise ValueError(f"regions {tuple(regions.shape)} do not lie on the grid of affinities {tuple(affinity.shape)}")
    free, picture = index == UNSEGMENTED, index != PADDING
    share = picture.to(affinity)
    share = share / share.sum(1, keepdim=True).clamp(min=1)
    mean = (share[:, None] @ affinity @ share[:, :, None]).flatten()[:, None, None]
    loose = (free[:, :, None] | free[:, None]) & picture[:, :, None] & picture[:, None] & (affinity > mean)
    allowed = loose | ((index[:, :, None] == index[:, None]) & ~free[:, :, None])
    allowed.diagonal(dim1=1, dim2=2).fill_(True)
    return (affinity * temperature).masked_fill(~allowed, float("-inf")).softmax(dim=-1)


def region_members(regions: Tensor) -> tuple[Tensor, Tensor]:
    """Which cells belong to which region of an image, the unsegmented rest and padding counted as regions.

    Returns:
        ``members`` (B,R,M) bool, R the most regions of an image, empty rows at the end of the others;
        ``index`` (B,h,w), the row of ``members`` that every cell belongs to.
    """
    index = torch.stack([one.unique(return_inverse=True)[1] for one in regions])
    rows = torch.arange(int(index.max()) + 1, device=index.device)
    return index.flatten(1)[:, None] == rows[None, :, None], index
