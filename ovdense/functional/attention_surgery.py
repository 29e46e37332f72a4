"""Attention of queries, keys and values each with themselves, averaged: CLIP Surgery and ExCEL's calibration.

Shapes: B images, H heads, T = P + N tokens, N = h * w patches, d channels of a head.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens


def patch_links(features: Tensor, gain: float = 3.0, per_image: bool = True) -> Tensor:
    """Which patches belong together by learnt features, (B, D, h, w) -> rows (B, N, N) that sum to 1.

    ExCEL (arXiv 2503.20826), eq. 7: softmax of cosines less their mean, negatives cut.

    Args:
        per_image: the mean is of each image; False as in the official code, of the whole batch.
    """
    unit = F.normalize(features.flatten(2), dim=1)
    cosine = unit.transpose(1, 2) @ unit
    mean = cosine.mean(dim=(1, 2), keepdim=True) if per_image else cosine.mean()
    logits = (cosine - mean) * gain
    return logits.masked_fill(logits < 0, float("-inf")).softmax(dim=-1)


def self_attention_sum(tokens: HeadTokens, links: Tensor | None = None) -> Tensor:
    """Sum over heads of the mean of the q q^T, k k^T and v v^T attentions, (B, 1, T, T); rows sum to H.

    Args:
        links: (B, N, N) added for the patches, in every head.
    """
    weights = sum((z @ z.transpose(-2, -1) * tokens.scale).softmax(dim=-1) for z in (tokens.q, tokens.k, tokens.v)) / 3
    if links is not None:
        padded = F.pad(links, (tokens.prefix, 0, tokens.prefix, 0))[:, None]
        weights = weights + padded.to(weights)
    return weights.sum(dim=1, keepdim=True)
