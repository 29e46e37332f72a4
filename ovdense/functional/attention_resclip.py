"""ResCLIP: attention of middle blocks, and the first pass's own labels fed back (arXiv 2411.15851).

Shapes: B images, H heads, d channels of a head, T = P + N tokens, N = h * w patches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens, attend, attention_variant, gaussian_bias


def patch_labels(labels: Tensor, grid: tuple[int, int], stride: int) -> Tensor:
    """The most frequent label of each cell of ``stride`` pixels, (B, H, W) -> (B, h, w); of several the smallest."""
    height, width = grid[0] * stride, grid[1] * stride
    if labels.shape[-2] < height or labels.shape[-1] < width:
        raise ValueError(f"labels of {tuple(labels.shape[-2:])} pixels do not cover {grid} cells of {stride} pixels")
    cells = labels[..., :height, :width].unflatten(-2, (grid[0], stride)).unflatten(-1, (grid[1], stride))
    return cells.transpose(-3, -2).flatten(-2).mode(dim=-1).values


def straight_paths(labels: Tensor, official_quirks: bool = False) -> Tensor:
    """Whether every cell on the straight line between two cells has the label of the first, (B, h, w) -> (B, N, N).

    ``official_quirks``: as the official code, step along every line at the pace of the longest one, so that only the
    first steps / longest of a shorter line are looked at.
    """
    h, w = labels.shape[-2:]
    place, steps = _places(labels)
    longest = int(steps.max())
    flat, delta = labels.flatten(1), place[None] - place[:, None]
    valid = torch.ones(len(labels), h * w, h * w, dtype=torch.bool, device=labels.device)
    for step in range(1, longest + 1):
        share = step / longest if official_quirks else step / steps.clamp(min=1)[..., None]
        y, x = (place[:, None] + delta * share).round().long().unbind(-1)
        beyond = steps < step
        index = (y.clamp(0, h - 1) * w + x.clamp(0, w - 1)).masked_fill(beyond, 0)
        valid &= beyond | (flat[:, index] == flat[:, :, None])
    return valid


def _places(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every cell (N, 2), and the larger of both distances between any two (N, N), in cells."""
    h, w = labels.shape[-2:]
    rows = torch.arange(h, device=labels.device).repeat_interleave(w)
    columns = torch.arange(w, device=labels.device).repeat(h)
    place = torch.stack([rows, columns], dim=-1).double()
    return place, (place[None] - place[:, None]).abs().amax(dim=-1)


def feedback_affinity(
    labels: Tensor, std: float = 5.0, keep_apart: bool = True, official_quirks: bool = False
) -> Tensor:
    """Which patches belong together by their labels, (B, h, w) -> (B, N, N), at most 1 in each image. Section 3.3.

    Patches of one label attract each other; where no straight line inside the label joins them, less so with their
    distance. Each row is blurred along the raster of patches, divided by its sum, and all by the largest entry.

    Args:
        labels: label of each patch.
        std: of the blur, in patches.
        keep_apart: weaken pairs without a straight line.
        official_quirks: see ``straight_paths``; also round to half precision.
    """
    same = (labels.flatten(1)[:, :, None] == labels.flatten(1)[:, None]).float()
    if keep_apart:
        _, steps = _places(labels)
        decay = torch.exp(-steps / steps.max().clamp(min=1)).float()
        same = torch.where(straight_paths(labels, official_quirks), same, same * decay)
    blurred = _blur_rows(same, std)
    affinity = blurred / (blurred.sum(dim=-1, keepdim=True) + 1e-8)
    affinity = affinity / affinity.amax(dim=(-2, -1), keepdim=True)
    return affinity.half().float() if official_quirks else affinity


def _blur_rows(rows: Tensor, std: float) -> Tensor:
    """Gaussian blur along the last dimension, zeros beyond the ends, (B, N, N) -> (B, N, N)."""
    if std <= 0:
        raise ValueError(f"std of the blur must be positive (in patches), got {std}")
    size = min(rows.shape[-1], int(6 * std + 1)) | 1  # odd
    place = torch.arange(size, device=rows.device, dtype=rows.dtype) - size // 2
    kernel = torch.exp(-(place**2) / (2 * std**2))
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    return F.conv1d(rows.flatten(0, 1)[:, None], kernel, padding=size // 2)[:, 0].view_as(rows)


@attention_variant("resclip", residual=False, mlp=False, recorded=(5, 6, 7, 8))
def residual_cross_correlation(
    tokens: HeadTokens,
    *,
    recorded: Tensor,
    std: float = 5.0,
    rcs_weights: tuple[float, float] = (2.0, 0.3),
    sfr: Tensor | None = None,
    sfr_weights: tuple[float, float] = (2.1, 0.7),
    blocks: tuple[int, ...] = (),
) -> Tensor:
    """NACLIP's attention mixed with that of middle blocks, and with the labels' affinity in its logits. Eq. 5 to 9.

    Args:
        recorded: (B, H, T, T) mean attention of the middle blocks.
        std: of NACLIP's Gaussian window, in grid cells.
        rcs_weights: (temperature, share) of ``recorded``; rows sum to the temperature.
        sfr: (B, N, N) affinity of the patches by their labels, at most 1; None for the first pass.
        sfr_weights: (temperature, share) of ``sfr`` in the logits.
        blocks: read by the backbone: which blocks are recorded, from 0.
    """
    bias, scale = gaussian_bias(tokens.grid, std, tokens.prefix, like=tokens.k), tokens.scale
    if sfr is not None:
        temperature, share = sfr_weights
        scale = scale * temperature * (1 - share)
        padded = F.pad(sfr, (tokens.prefix, 0, tokens.prefix, 0))[:, None].to(bias)
        bias = bias + temperature * share * padded
    temperature, share = rcs_weights
    own = attend(tokens.k, tokens.k, tokens, bias, scale)
    return temperature * ((1 - share) * own + share * (recorded.to(own.dtype) @ tokens.target))
