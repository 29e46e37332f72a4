"""Instances from foreground and centre votes: cells that vote for one centre are one instance.

Shapes: B images, h x w cells, N instances.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 1 << 16  # cells whose distances to all peaks are held at once


def vote_map(weight: Tensor, votes: Tensor, sigma: float = 1.6) -> Tensor:
    """Smoothed sum of the weights that land on each cell, (B,h,w), from weights (B,h,w) and votes (B,2,h,w).

    ``votes`` are integer (x, y) cells inside the grid.
    """
    batch, height, width = weight.shape
    target = (votes[:, 1] * width + votes[:, 0]).flatten(1)
    total = weight.new_zeros(batch, height * width).scatter_add_(1, target, weight.flatten(1))
    return gaussian_blur(total.view(batch, 1, height, width), sigma)[:, 0]


def gaussian_blur(maps: Tensor, sigma: float) -> Tensor:
    """(B,1,h,w) smoothed by a normalised Gaussian cut at 4 sigma; borders repeat the outermost cells."""
    radius = math.ceil(4 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    maps = F.pad(maps, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(maps, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def find_peaks(maps: Tensor, threshold: float, window: int = 7) -> Tensor:
    """(B,h,w) bool: cells above ``threshold`` that no cell of their ``window`` exceeds."""
    highest = F.max_pool2d(maps[:, None], window, stride=1, padding=window // 2)[:, 0]
    return (maps == highest) & (maps > threshold)


def group_votes(
    foreground: Tensor,
    offsets: Tensor,
    *,
    foreground_threshold: float = 0.5,
    peak_threshold: float = 0.25,
    min_cells: int = 12,
    max_instances: int = 100,
    max_distance: float = 10.0,
    sigma: float = 1.6,
) -> list[tuple[Tensor, Tensor]]:
    """Foreground probability (B,h,w) and offsets to the centre (B,2,h,w) in cells -> for each image labels and scores.

    Foreground cells vote for the cell ``position + offset``; peaks of the smoothed votes are centres; each foreground
    cell joins the peak nearest to its vote, unless that is more than ``max_distance`` cells away.

    Returns:
        ``labels`` (h,w) int64, instances numbered from 0 by falling score and -1 elsewhere; ``scores`` (N,), each an
        instance's mean foreground probability.
    """
    height, width = foreground.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=foreground.device), torch.arange(width, device=foreground.device), indexing="ij"
    )
    limit = torch.tensor([width - 1, height - 1], device=foreground.device).view(1, 2, 1, 1)
    votes = (torch.stack([x, y]) + offsets).round().long().clamp(min=0).minimum(limit)
    is_foreground = foreground > foreground_threshold
    density = vote_map(foreground * is_foreground, votes, sigma)
    peaks = find_peaks(density, peak_threshold)
    limits = dict(min_cells=min_cells, max_instances=max_instances, max_distance=max_distance)
    images = zip(foreground, is_foreground, votes, density, peaks)
    return [_group_image(*image, **limits) for image in images]


def _group_image(foreground, is_foreground, votes, density, peaks, *, min_cells, max_instances, max_distance):
    """Labels (h,w) and scores (N,) of one image."""
    labels = torch.full_like(foreground, -1, dtype=torch.long)
    centres = peaks.nonzero()
    if len(centres) > 2 * max_instances:
        centres = centres[density[peaks].topk(2 * max_instances).indices]
    if not len(centres):
        return labels, foreground.new_zeros(0)
    points = votes.flip(0)[:, is_foreground].T.float()
    nearest = [torch.cdist(part, centres.float()).min(1) for part in points.split(CHUNK)]
    joins = torch.cat([distance for distance, _ in nearest]) <= max_distance
    cells, owner = is_foreground.clone(), torch.cat([index for _, index in nearest])[joins]
    cells[is_foreground] = joins
    area = torch.bincount(owner, minlength=len(centres))
    total = torch.bincount(owner, weights=foreground[cells].double(), minlength=len(centres))
    score = (total / area.clamp(min=1)).to(foreground.dtype)
    order = score.masked_fill(area < min_cells, -1).argsort(descending=True)
    order = order[: min(int((area >= min_cells).sum()), max_instances)]
    rank = torch.full((len(centres),), -1, device=labels.device)
    rank[order] = torch.arange(len(order), device=labels.device)
    labels[cells] = rank[owner]
    return labels, score[order]
