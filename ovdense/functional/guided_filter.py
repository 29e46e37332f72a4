"""Guided filter: score maps that follow the edges of a colour image (He, Sun, Tang, arXiv 1505.00996).

In every window the map is modelled as an affine function of the colour; the coefficients are worked out on a reduced
grid, upsampled, and applied to the full-size image.

Shapes: B images, S maps, H x W pixels, h x w reduced grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def box_mean(maps: Tensor, radius: int) -> Tensor:
    """Mean over (2 * radius + 1)^2 windows, cut at the border, (B, S, h, w) -> (B, S, h, w)."""
    for kernel, padding in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        maps = F.avg_pool2d(maps, kernel, stride=1, padding=padding, count_include_pad=False)
    return maps


def guided_filter(guide: Tensor, maps: Tensor, *, radius: int, eps: float, subsample: int = 1) -> Tensor:
    """Maps (B, S, H, W) smoothed inside, but not across, the edges of ``guide`` (B, 3, H, W).

    Args:
        radius: of the window, in pixels of the reduced grid.
        eps: variance of the colour, in the guide's units squared, below which a window counts as flat.
        subsample: the reduced grid has about 1 / subsample of the pixels along each axis; faster, little different.

    Raises:
        ValueError: guide and maps of different sizes, or a guide that is not of three channels.
    """
    if guide.ndim != 4 or guide.shape[1] != 3 or maps.ndim != 4 or guide.shape[-2:] != maps.shape[-2:]:
        raise ValueError(
            "the guided filter takes a guide (B, 3, H, W) and maps (B, S, H, W) of the same size, got "
            f"{tuple(guide.shape)} and {tuple(maps.shape)}"
        )
    size = guide.shape[-2:]
    if subsample > 1:
        reduced = [max(1, -(-side // subsample)) for side in size]
        small_guide, small_maps = (F.adaptive_avg_pool2d(x, reduced) for x in (guide, maps))
    else:
        small_guide, small_maps = guide, maps
    slope, offset = affine_models(small_guide, small_maps, radius, eps)
    filtered = _upsample(offset, size)
    for channel in range(3):
        filtered = filtered.addcmul_(_upsample(slope[:, :, channel], size), guide[:, channel, None])
    return filtered


def affine_models(guide: Tensor, maps: Tensor, radius: int, eps: float) -> tuple[Tensor, Tensor]:
    """Slope (B, S, 3, h, w) and offset (B, S, h, w) of each map as a function of the colour, averaged over windows."""
    mean_guide, mean_maps = box_mean(guide, radius), box_mean(maps, radius)
    pairs = torch.stack([guide[:, i] * guide[:, j] for i in range(3) for j in range(3)], dim=1)
    covariance = box_mean(pairs, radius) - (mean_guide[:, :, None] * mean_guide[:, None]).flatten(1, 2)
    identity = torch.eye(3, dtype=guide.dtype, device=guide.device).view(1, 3, 3, 1, 1)
    covariance = covariance.unflatten(1, (3, 3)) + eps * identity
    # The inverse of a 3 x 3 matrix: cross products of its rows over the determinant.
    rows = covariance.unbind(1)
    cofactors = torch.stack([torch.linalg.cross(rows[(i + 1) % 3], rows[(i + 2) % 3], dim=1) for i in range(3)], dim=1)
    determinant = (rows[0] * cofactors[:, 0]).sum(1).clamp(min=torch.finfo(guide.dtype).tiny)
    shared = torch.stack(
        [box_mean(maps * guide[:, i, None], radius) - mean_maps * mean_guide[:, i, None] for i in range(3)], dim=2
    )
    slope = torch.einsum("bijhw,bsihw->bsjhw", cofactors / determinant[:, None, None], shared)
    offset = mean_maps - (slope * mean_guide[:, None]).sum(2)
    slope = box_mean(slope.flatten(1, 2), radius).unflatten(1, (-1, 3))
    return slope, box_mean(offset, radius)


def _upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if maps.shape[-2:] == size:
        return maps.clone()
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
