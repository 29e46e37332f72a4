"""Scores of regions from similarities, and their fusion with other evidence.

Shapes: R regions, S phrases, K classes, C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.similarity import synonym_max

SIMILARITIES = ("cosine", "posterior")
ACTIVATIONS = ("softmax", "sigmoid", "none")


def region_similarity(
    regions: Tensor, rows: Tensor, class_index: Tensor, num_classes: int, kind: str = "cosine", chunk: int = 4096
) -> Tensor:
    """Best phrase of each class for each region, (R,C) x (S,C) -> (R,K); regions in chunks.

    ``cosine`` is in [-1, 1]. ``posterior`` is for spaces whose image embedding is a distribution over C anchors and
    whose text rows are non-negative weights: the expected weight relative to the row's largest, in [0, 1].
    """
    if kind not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {SIMILARITIES}, got {kind!r}")
    if regions.shape[1] != rows.shape[1]:
        raise ValueError(
            f"class embeddings have {rows.shape[1]} channels but the regions have {regions.shape[1]}: encode the "
            "vocabulary with the text encoder of the same CLIP model"
        )
    rows = rows.to(regions)
    if kind == "cosine":
        regions, rows = F.normalize(regions, dim=1), F.normalize(rows, dim=1)
    else:
        rows = rows / rows.amax(dim=1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
    parts = [synonym_max(part @ rows.T, class_index, num_classes) for part in regions.split(chunk)]
    return torch.cat(parts) if parts else regions.new_zeros((0, num_classes))


def activate(similarity: Tensor, activation: str, scale: float, bias: float = 0.0) -> Tensor:
    """Probabilities of classes, (R,K) -> (R,K): softmax or sigmoid of ``scale * similarity + bias``, or as it is."""
    if activation == "softmax":
        return (similarity * scale).softmax(dim=1)
    if activation == "sigmoid":
        return (similarity * scale + bias).sigmoid()
    if activation == "none":
        return similarity.clamp(min=0)
    raise ValueError(f"activation must be one of {ACTIVATIONS}, got {activation!r}")


def geometric_mean(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """first^(1 - weight) * second^weight of non-negative scores (F-VLM, arXiv 2209.15639, eq. 2)."""
    if not 0 <= weight <= 1:
        raise ValueError(f"the weight of a geometric mean is in [0, 1], got {weight}")
    return first ** (1 - weight) * second**weight


def fuse_by_group(first: Tensor, second: Tensor, base: Tensor, base_weight: float, novel_weight: float) -> Tensor:
    """first^(1 - w) * second^w of scores (R,K), w by the column: one for base classes, another for novel ones.

    F-VLM (arXiv 2209.15639, eq. 3) and F-ViT take the detector's scores first and CLIP's second, with a small weight
    for base classes, which the detector was trained for, and a large one for novel ones. The ensembles of ViLD and
    BARON are weights of 1/3 and 2/3. Rows are not normalised again.

    Args:
        base: (K,) of bool; the background, where it is a column, counts as base.
    """
    for name, weight in (("base", base_weight), ("novel", novel_weight)):
        if not 0 <= weight <= 1:
            raise ValueError(f"the {name} weight of a fusion is in [0, 1], got {weight}")
    if base.shape != first.shape[1:] or first.shape != second.shape:
        raise ValueError(
            f"scores and groups must have the same columns, got {tuple(first.shape)}, {tuple(second.shape)} and "
            f"{tuple(base.shape)}"
        )
    base = base.to(first.device)[None]
    as_base = geometric_mean(first, second, base_weight)
    return torch.where(base, as_base, geometric_mean(first, second, novel_weight))


def calibrate_scores(scores: Tensor, midpoint: float, slope: float) -> Tensor:
    """Log-logistic curve of non-negative scores, rising from 0 to 1: ``s^slope / (s^slope + midpoint^slope)``.

    The order of the scores stays; a score of ``midpoint`` becomes 0.5. It is Platt's sigmoid (1999) on the logarithm.
    """
    if midpoint <= 0 or slope <= 0:
        raise ValueError(f"midpoint and slope of a calibration are above 0, got {midpoint} and {slope}")
    return 1 / (1 + (midpoint / scores.clamp(min=torch.finfo(scores.dtype).tiny)) ** slope)
