"""Views of pictures for self-supervised training, made in batches: windows, colours, pasted blobs.

Shapes: B pictures of H x W pixels with values in [0, 1], views of V x V pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def random_windows(batch: int, extent: tuple[int, int], sides: tuple[float, float]) -> Tensor:
    """Random squares (B,3) as (left, top, side) in pixels inside a picture of ``extent`` (H, W)."""
    limit = min(*extent, sides[1])
    side = sides[0] + torch.rand(batch) * (limit - sides[0])
    left, top = (torch.rand(batch) * (length - side) for length in (extent[1], extent[0]))
    return torch.stack([left, top, side], dim=1)


def cut_windows(images: Tensor, windows: Tensor, size: int) -> Tensor:
    """The windows (B,3) of pictures (B,3,H,W) as views (B,3,V,V), bilinear."""
    height, width = images.shape[-2:]
    windows = windows.to(images)
    steps = (torch.arange(size, device=images.device) + 0.5) / size
    x = (windows[:, 0:1] + steps * windows[:, 2:3]) / width * 2 - 1
    y = (windows[:, 1:2] + steps * windows[:, 2:3]) / height * 2 - 1
    shape = len(images), size, size
    grid = torch.stack([x[:, None, :].expand(shape), y[:, :, None].expand(shape)], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def jitter_colours(images: Tensor, strength: float = 0.4) -> Tensor:
    """Brightness, contrast, saturation and tint of every picture changed at random, (B,3,H,W) -> (B,3,H,W)."""

    def factor(spread: float, channels: int = 1) -> Tensor:
        return 1 + spread * (2 * torch.rand(len(images), channels, 1, 1, device=images.device) - 1)

    images = images * factor(strength)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * factor(strength) + mean
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * (factor(1.0) - 0.5 * strength).clamp(min=0)
    return (images * factor(0.5 * strength, 3)).clamp(0, 1)


def random_blobs(batch: int, size: int, radii: tuple[float, float] = (0.16, 0.40)) -> Tensor:
    """Smooth closed shapes (B,V,V) in [0, 1]: a circle whose radius (share of V) is bent by a few cosines."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, 1, 1)

    ticks = torch.arange(size).float()
    x, y = ticks[None, None, :] - uniform(0.15, 0.85) * size, ticks[None, :, None] - uniform(0.15, 0.85) * size
    angle = torch.atan2(y, x)
    border = uniform(*radii) * size * (1 + uniform(0, 0.5) * torch.cos(2 * (angle - uniform(0, math.pi))))
    for waves in (3, 4, 5, 7):
        border = border * (1 + uniform(0, 0.36 / math.sqrt(waves)) * torch.cos(waves * angle + uniform(0, 2 * math.pi)))
    return (border - torch.hypot(x, y) + 0.5).clamp(0, 1)


def patch_regions(labels: Tensor, count: int, patch: int, purity: float = 0.7) -> Tensor:
    """Region of every patch (B,N) from pixel labels 0..count-1 (B,V,V); -1 where none fills ``purity`` of it."""
    shares = F.avg_pool2d(F.one_hot(labels.long(), count).permute(0, 3, 1, 2).float(), patch)
    share, region = shares.max(dim=1)
    return torch.where(share > purity, region, -1).flatten(1)
