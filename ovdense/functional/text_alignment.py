"""Aligning text with the attention heads of a vision-only transformer: Talk2DINO (arXiv 2411.19331).

Shapes: B images (or image-caption pairs), M attention heads, h x w patch grid, N = h * w, D channels, S phrases.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def head_embeddings(logits: Tensor, patches: Tensor, softmax: bool = True) -> Tensor:
    """What each attention head looks at, (B, M, h, w) x (B, D, h, w) -> (B, M, D). Section 3.2.

    The mean over the patches of attention times patch; a mean, not a sum, so the length says nothing.

    Args:
        logits: attention logits of the class token over the patches, scaled.
        patches: patch tokens.
        softmax: weigh by the softmax of the logits, as for training, or by the raw logits, as background cleaning does.
    """
    weights = logits.flatten(2)
    if softmax:
        weights = weights.softmax(dim=-1)
    return weights @ patches.flatten(2).transpose(1, 2) / weights.shape[-1]


def alignment_scores(heads: Tensor, texts: Tensor, strategy: str = "max_score") -> tuple[Tensor, Tensor]:
    """Scores of every caption with every image, and the head (B,) that each image answers its own caption with.

    Args:
        heads: (B, M, D) head embeddings of the images.
        texts: (B, D) captions in the images' space, caption i belongs to image i.
        strategy: ``max_score``: each image is the head nearest to its own caption (the paper); ``weighted_avg``: the
            mean of its heads, weighted by their softmax similarity to the caption; ``mean`` and ``sum``: over the
            cosines of all heads.

    Returns:
        (B, B) scores, captions by images (for ``mean`` and ``sum`` images by captions, as the official code returns
        them), and (B,) head numbers.
    """
    if heads.shape[0] != texts.shape[0] or heads.shape[-1] != texts.shape[-1]:
        raise ValueError(f"heads (B, M, D) and texts (B, D) must go together, got {heads.shape} and {texts.shape}")
    heads, texts = F.normalize(heads, dim=-1), F.normalize(texts, dim=-1)
    paired = torch.einsum("bd,bmd->bm", texts, heads)
    nearest = paired.argmax(dim=-1)
    if strategy == "max_score":
        return texts @ heads[torch.arange(len(heads), device=heads.device), nearest].T, nearest
    if strategy == "weighted_avg":
        mixed = (paired.softmax(dim=-1)[..., None] * heads).mean(dim=1)
        return texts @ mixed.T, nearest
    if strategy in ("mean", "sum"):
        every = torch.einsum("imd,td->itm", heads, texts)
        return getattr(every, strategy)(dim=-1), nearest
    raise ValueError(f"strategy must be max_score, weighted_avg, mean or sum, got {strategy!r}")


def info_nce(scores: Tensor, temperature: float = 0.07, divide_by_square: bool = True) -> Tensor:
    """Symmetric InfoNCE of square scores whose diagonal are the pairs, (B, B) -> ().

    ``divide_by_square``: by B^2 as the official Talk2DINO does, which only scales the gradient.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"InfoNCE takes square scores (B, B), got {tuple(scores.shape)}")
    target = torch.arange(len(scores), device=scores.device)
    logits = scores / temperature
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss / len(scores) ** 2 if divide_by_square else loss


def clean_background(masks: Tensor, logits: Tensor, patches: Tensor, texts: Tensor, weight: float = 0.2) -> Tensor:
    """Masks (B, S, h, w) mixed with what the heads that suit each phrase look at. Section 3.3.

    Every image by itself, unlike the official code, which takes one at a time.

    Args:
        masks: scores of the phrases.
        logits: (B, M, h, w) attention logits of the class token over the patches, scaled.
        patches: (B, D, h, w) patch tokens.
        texts: (S, D) phrases in the images' space.
        weight: share of the attention, lambda.
    """
    heads = F.normalize(head_embeddings(logits, patches, softmax=False), dim=-1)
    suits = (F.normalize(texts, dim=-1) @ heads.transpose(1, 2)).softmax(dim=-1)  # (B, S, M), sums to 1
    attention = (suits @ logits.flatten(2)).softmax(dim=-1).unflatten(2, masks.shape[-2:])
    low, high = _extremes(attention)
    floor, ceiling = _extremes(masks)
    attention = (attention - low) / high * (ceiling - floor) + floor
    return (masks + weight * attention) / (1 + weight)


def _extremes(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of each image, (B, S, h, w) -> two of (B, 1, 1, 1)."""
    return maps.amin(dim=(1, 2, 3), keepdim=True), maps.amax(dim=(1, 2, 3), keepdim=True)
