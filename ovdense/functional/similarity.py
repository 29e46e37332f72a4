"""Pixel-text similarity and what heads do with it on the patch grid.

Shapes: B images, C embedding channels, S phrases, K classes, h x w patch grid, N = h * w patches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_logits(features: Tensor, class_embeddings: Tensor, scale: float = 1.0) -> Tensor:
    """Scaled cosine of every patch with every row, (B,C,h,w) x (S,C) -> (B,S,h,w).

    Example:
        >>> pixel_logits(torch.randn(2, 8, 3, 4), torch.randn(5, 8)).shape
        torch.Size([2, 5, 3, 4])
    """
    if features.shape[1] != class_embeddings.shape[1]:
        raise ValueError(
            f"class embeddings have {class_embeddings.shape[1]} channels but the dense features have "
            f"{features.shape[1]}: encode the vocabulary with the text encoder of the same CLIP model"
        )
    features = F.normalize(features, dim=1)
    rows = F.normalize(class_embeddings.to(features), dim=1)
    return scale * torch.einsum("bchw,sc->bshw", features, rows)


def synonym_max(logits: Tensor, class_index: Tensor, num_classes: int) -> Tensor:
    """Largest logit among the phrases of each class, (B,S,...) -> (B,K,...); a class without a phrase gets -inf."""
    if logits.shape[1] != len(class_index):
        raise ValueError(f"got {logits.shape[1]} phrase logits but {len(class_index)} class indices")
    out = logits.new_full((logits.shape[0], num_classes, *logits.shape[2:]), -torch.inf)
    index = class_index.to(logits.device).view(1, -1, *[1] * (logits.ndim - 2)).expand_as(logits)
    return out.scatter_reduce_(1, index, logits, "amax")


def denoise_prompts(logits: Tensor, threshold: float, temperature: float = 100.0, value: float = -100.0) -> Tensor:
    """MaskCLIP prompt denoising (arXiv 2112.01071, section 3.3), (B,S,h,w) -> (B,S,h,w).

    A phrase whose probability reaches ``threshold`` nowhere in its image gets ``value`` everywhere. ``logits`` are
    cosines; ``temperature`` makes them the probabilities that are compared, ``threshold`` is in [0, 1].
    """
    probability = (logits * temperature).softmax(dim=1)
    absent = probability.flatten(2).amax(dim=2) < threshold
    return logits.masked_fill(absent[:, :, None, None], value)


def smooth_by_keys(
    logits: Tensor, keys: Tensor, threshold: float, temperature: float = 100.0, over_tokens: bool = False
) -> Tensor:
    """MaskCLIP key smoothing (arXiv 2112.01071, eq. 3): cosines (B,S,h,w) and keys (B,D,h,w) -> (B,S,h,w).

    Patches whose top probability is below ``threshold`` (1.0: all) take the key-similarity-weighted sum of all
    patches' probabilities. The result is in the units of probabilities, not of cosines.

    Args:
        over_tokens: divide the keys by their norm along the tokens, as the official code does, instead of along the
            channels, as the paper says; the sums then are not averages either.
    """
    if keys.shape[-2:] != logits.shape[-2:]:
        raise ValueError(f"keys lie on a {tuple(keys.shape[-2:])} grid but the logits on {tuple(logits.shape[-2:])}")
    probability = (logits * temperature).softmax(dim=1).flatten(2)
    keys = F.normalize(keys.flatten(2), dim=2 if over_tokens else 1)
    weights = torch.einsum("bdn,bdm->bnm", keys, keys)
    if not over_tokens:
        weights = weights.clamp(min=0)
        weights = weights / weights.sum(dim=2, keepdim=True)
    smoothed = torch.einsum("bnm,bsm->bsn", weights, probability)
    unsure = probability.amax(dim=1, keepdim=True) < threshold
    return torch.where(unsure, smoothed, probability).unflatten(2, logits.shape[-2:])


def minmax_normalize(logits: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Stretch each prompt's map to [0, 1], (B,S,h,w) -> (B,S,h,w).

    ``low`` and ``high`` (B,S) are the extremes to stretch by; by default those of the map itself.
    """
    low = logits.flatten(2).amin(dim=2) if low is None else low
    high = logits.flatten(2).amax(dim=2) if high is None else high
    spread = (high - low).clamp(min=torch.finfo(logits.dtype).tiny)
    return (logits - low[:, :, None, None]) / spread[:, :, None, None]
