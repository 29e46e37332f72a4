"""Regions against class rows: logits with a background column, and the losses that train them.

Shapes: R regions, S phrases, K classes, D channels of the text space. The background is the last of K + 1 columns.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.similarity import synonym_max


def region_logits(
    regions: Tensor,
    rows: Tensor,
    scale: float | Tensor,
    class_index: Tensor | None = None,
    num_classes: int | None = None,
    background: Tensor | None = None,
) -> Tensor:
    """Scaled cosines with the classes and the background, (R,D) x (S,D) -> (R,K+1).

    Args:
        regions: embeddings of any length.
        rows: unit rows.
        scale: factor of the cosine.
        class_index: (S,) class of each row, whose best row counts; None where every row is a class of its own.
        num_classes: K, with ``class_index``.
        background: (D,) vector of the background; None for the zero vector, whose logit is 0 (RegionCLIP, ViLD-text).
    """
    if regions.shape[1] != rows.shape[1]:
        raise ValueError(
            f"class embeddings have {rows.shape[1]} channels but the regions have {regions.shape[1]}: encode the "
            "vocabulary with the text encoder of the same CLIP model"
        )
    regions = F.normalize(regions, dim=1) * scale
    logits = regions @ rows.to(regions).T
    if class_index is not None:
        logits = synonym_max(logits, class_index, num_classes)
    if background is None:
        last = logits.new_zeros(len(logits), 1)
    else:
        last = regions @ F.normalize(background.to(regions), dim=0)[:, None]
    return torch.cat([logits, last], dim=1)


def region_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    *,
    background_weight: float = 1.0,
    gamma: float = 0.0,
    average: str = "samples",
    avg_factor: float | None = None,
) -> Tensor:
    """Cross-entropy of logits (R,K+1) with labels (R,), K for the background; a scalar, 0 for no regions.

    Args:
        weights: (R,) factors of the samples.
        background_weight: factor of the samples of the background.
        gamma: exponent of the focal factor (1 - p)^gamma of the true class's probability p (RegionCLIP uses 0.5).
        average: ``samples`` divides the sum by the number of samples, ``weights`` by the sum of their weights.
        avg_factor: divisor that replaces the number of samples.
    """
    if average not in ("samples", "weights"):
        raise ValueError(f"average must be 'samples' or 'weights', got {average!r}")
    if not len(logits):
        return logits.sum()
    loss = F.cross_entropy(logits, labels, reduction="none")
    factor = torch.ones_like(loss) if weights is None else weights.to(loss)
    factor = torch.where(labels == logits.shape[1] - 1, factor * background_weight, factor)
    if gamma:
        loss = loss * (1 - torch.exp(-loss)) ** gamma
    if average == "weights":
        return (loss * factor).sum() / factor.sum().clamp(min=torch.finfo(loss.dtype).tiny)
    return (loss * factor).sum() / (len(loss) if avg_factor is None else avg_factor)


def fuse_objectness(scores: Tensor, objectness: Tensor) -> Tensor:
    """Geometric mean of class scores (R,K) and objectness (R,), as RegionCLIP does: NaN where objectness is negative.

    A negative objectness can only be a raw logit, the official rule; a probability gives scores in [0, 1].
    """
    return (scores * objectness.to(scores)[:, None]) ** 0.5
