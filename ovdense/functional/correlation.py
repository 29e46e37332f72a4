"""Aggregation along another model's attention, weak links cut by how alike its values are: Trident (arXiv 2411.09219).

Shapes: B images, H heads of d (values) and e (queries, keys) channels, N = h * w patches, T keys, D feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

HIGHEST_THRESHOLD = 0.9
QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class PatchAttention:
    """What the patches of a block attend by, before the N x T matrix is made.

    Args:
        queries: (B, H, N, e) of the patches, scaled: ``softmax(queries @ keys^T)`` is the attention.
        keys: (B, H, T, e) of everything that is attended to: patches, class and register tokens, padding.
        values: (B, H, N, d) of the patches.
        places: (N,) int64 position of each patch among the keys.
        grid: (h, w).
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    places: Tensor
    grid: tuple[int, int]

    def rows(self, some: slice) -> Tensor:
        """Attention of some patches to all patches, (B, H, n, N); what goes elsewhere is missing from the sums."""
        weights = (self.queries[:, :, some] @ self.keys.transpose(-2, -1)).softmax(dim=-1)
        return weights if len(self.places) == self.keys.shape[2] else weights[..., self.places]


def mean_cosines(values: Tensor) -> Tensor:
    """Mean cosine of each patch's value with those of all patches, over all heads too, (B, H, N, d) -> (B, N).

    The mean of cosines is the cosine with the mean of the unit values: no N x N matrix is needed.
    """
    unit = F.normalize(values, dim=-1)
    return (unit @ unit.mean(dim=2).unsqueeze(-1)).squeeze(-1).mean(dim=1)


def correlation_weights(
    attention: Tensor, values: Tensor, factor: float = 1.2, some: slice = slice(None), means: Tensor | None = None
) -> Tensor:
    """Attention between patches whose values are alike, mean of the heads, rows summing to 1. Trident, section 3.3.

    A link stays in a head where the cosine of the two values exceeds ``min(0.9, factor * mean)``, with the mean of the
    attending patch over all patches and heads.

    Args:
        attention: (B, H, n, N), rows of the patches ``some``.
        values: (B, H, N, d) of all patches.
        factor: ``cos_fac`` of the official configs: 1.2, and 3.0 for Cityscapes.
        some: the patches of the rows, all by default.
        means: (B, N) of ``mean_cosines``, if they are known.

    Returns:
        (B, n, N).
    """
    if attention.shape[:2] != values.shape[:2] or attention.shape[-1] != values.shape[2]:
        raise ValueError(
            f"attention (B, H, n, N) and values (B, H, N, d) must have the same heads and patches, got "
            f"{tuple(attention.shape)} and {tuple(values.shape)}"
        )
    means = mean_cosines(values) if means is None else means
    unit = F.normalize(values, dim=-1)
    threshold = (factor * means[:, some]).clamp(max=HIGHEST_THRESHOLD)[:, None, :, None]
    alike = unit[:, :, some] @ unit.transpose(-2, -1) > threshold
    weights = attention.masked_fill(~alike, 0).mean(dim=1)
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)


def correlate(
    features: Tensor, attention: PatchAttention, factor: float = 1.2, queries_at_once: int = QUERIES_AT_ONCE
) -> Tensor:
    """Every patch becomes the mean of the patches it correlates with, (B, D, h, w) -> (B, D, h, w).

    Args:
        features: on the grid of ``attention``.
        factor: see ``correlation_weights``.
        queries_at_once: rows of the matrix that are held at a time; they do not change the result.
    """
    if tuple(features.shape[-2:]) != tuple(attention.grid):
        raise ValueError(f"features of a grid {tuple(features.shape[-2:])} cannot follow attention on {attention.grid}")
    rows = features.flatten(2).transpose(1, 2)
    means = mean_cosines(attention.values)
    out = []
    for start in range(0, rows.shape[1], queries_at_once):
        some = slice(start, start + queries_at_once)
        weights = correlation_weights(attention.rows(some), attention.values, factor, some, means)
        out.append(weights.to(rows.dtype) @ rows)
    return torch.cat(out, dim=1).transpose(1, 2).unflatten(2, attention.grid)
