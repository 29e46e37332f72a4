"""Patches that resemble each other: cosine affinities, pooling along them, and background found from a seed.

Shapes: B images, C and D channels, N = h * w patches of a grid in row-major order, H attention heads of d channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

POOL_EPS = 1e-6


def cosine_affinity(features: Tensor) -> Tensor:
    """Cosine of every patch with every other, (B,D,h,w) -> (B,N,N)."""
    rows = F.normalize(features.flatten(2), dim=1)
    return rows.transpose(1, 2) @ rows


def pool_by_affinity(dense: Tensor, affinity: Tensor, threshold: float | None = 0.2) -> Tensor:
    """Each patch becomes the mean of the patches that it resembles, weighted by the affinity.

    CLIP-DINOiser (arXiv 2312.12359), eq. 2. Affinities below ``threshold`` count as 0.

    Args:
        dense: (B,C,h,w) features.
        affinity: (B,N,N), one row for each patch that is asked for.
        threshold: gamma of the paper; None keeps negative affinities too.

    Returns:
        (B,C,h,w).
    """
    grid = tuple(dense.shape[-2:])
    if affinity.shape[-1] != grid[0] * grid[1]:
        raise ValueError(f"an affinity of {tuple(affinity.shape)} does not fit a grid of {grid[0]} x {grid[1]} patches")
    if threshold is not None:
        affinity = affinity.masked_fill(affinity < threshold, 0)
    pooled = affinity @ dense.flatten(2).transpose(1, 2)
    pooled = pooled / (affinity.sum(-1, keepdim=True) + POOL_EPS)
    return pooled.transpose(1, 2).unflatten(2, grid)


def background_from_seed(keys: Tensor, attention: Tensor, threshold: float = 0.3, seed: str = "least") -> Tensor:
    """Patches that resemble the least attended one, which is taken for background.

    FOUND (arXiv 2212.07834), section 3.1: heads weigh the more, the fewer patches they attend to above the mean.

    Args:
        keys: (B,H*d,h,w) keys of the last block, heads side by side.
        attention: (B,H,h,w) attention of the class token to the patches.
        threshold: cosine with the seed above which a patch is background.
        seed: ``least``, as the paper, for models whose class token looks at objects; ``most`` for those that look at
            the background.

    Returns:
        (B,h,w) bool, true on the background.
    """
    heads, grid = attention.shape[1], tuple(keys.shape[-2:])
    if seed not in ("least", "most"):
        raise ValueError(f"seed is the 'least' or the 'most' attended patch, got {seed!r}")
    if keys.shape[1] % heads or tuple(attention.shape[-2:]) != grid:
        raise ValueError(f"keys {tuple(keys.shape)} and attention {tuple(attention.shape)} differ in heads or grid")
    weight = head_sparsity(attention)
    rows = (keys.unflatten(1, (heads, -1)) * weight[:, :, None, None, None]).flatten(3).flatten(1, 2)
    rows = F.normalize(rows, dim=1)
    attended = (attention * weight[:, :, None, None]).sum(1).flatten(1)
    place = attended.argmin(1) if seed == "least" else attended.argmax(1)
    seeds = rows.gather(2, place[:, None, None].expand(-1, rows.shape[1], 1))
    return ((rows * seeds).sum(1) > threshold).unflatten(1, grid)


def head_sparsity(attention: Tensor, eps: float = 1e-10) -> Tensor:
    """(B,H,h,w) -> (B,H): log of all heads' shares of attended patches over each head's own."""
    mean = attention.flatten(1).mean(1)
    share = (attention.flatten(2) > mean[:, None, None]).float().mean(2) + eps
    return torch.log(share.sum(1, keepdim=True) / share)
