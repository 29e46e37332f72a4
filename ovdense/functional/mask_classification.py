"""Class scores of mask proposals: similarity with text rows, a void class, and the ensemble of two classifiers.

Shapes: B images, Q proposals, S phrases, K classes (void is column K), C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.similarity import synonym_max

PROBABILITY_FLOOR = 1e-8
LOG_FLOOR = -1e4  # log-probabilities below it are 0 in every float type, and products with 0 stay finite


def class_logits(
    embeddings: Tensor,
    rows: Tensor,
    class_index: Tensor,
    num_classes: int,
    *,
    void: Tensor | None = None,
    scale: float | Tensor = 100.0,
    normalize_rows: bool = True,
) -> Tensor:
    """Scaled cosine of every proposal with its best phrase of each class, (B,Q,C) -> (B,Q,K) or, with void, (B,Q,K+1).

    Args:
        rows: phrases, (S,C), or (B,S,C) where each image has its own (content-dependent text).
        class_index: (S,) class of each phrase.
        void: (1,C) or (B,1,C) embedding of "none of them", made unit length; it becomes the last column.
        scale: factor on the cosine.
        normalize_rows: False takes the rows as long as they come (MAFT+).
    """
    if rows.shape[-1] != embeddings.shape[-1]:
        raise ValueError(
            f"class embeddings have {rows.shape[-1]} channels but the proposals have {embeddings.shape[-1]}: encode "
            "the vocabulary with the text encoder of the same CLIP model"
        )
    embeddings = F.normalize(embeddings, dim=-1)
    rows = rows.to(embeddings)
    if normalize_rows:
        rows = F.normalize(rows, dim=-1)
    phrases = scale * (embeddings @ rows.transpose(-1, -2))
    logits = synonym_max(phrases.movedim(-1, 1), class_index, num_classes).movedim(1, -1)
    if void is None:
        return logits
    void = F.normalize(void.to(embeddings), dim=-1)
    return torch.cat([logits, scale * (embeddings @ void.transpose(-1, -2))], dim=-1)


def seen_classes(phrases: Sequence[Sequence[str]], trained: Sequence[Sequence[str]]) -> Tensor:
    """(K,) bool: the class shares a phrase with a class of the training vocabulary (case does not count).

    Args:
        phrases: synonyms of each of the K classes.
        trained: synonyms of each class that the model was trained with.
    """
    known = {phrase.casefold() for names in trained for phrase in names}
    return torch.tensor([any(phrase.casefold() in known for phrase in names) for names in phrases], dtype=torch.bool)


def ensemble_weights(seen: Tensor, alpha: float, beta: float, valid: Tensor | None = None) -> Tensor:
    """Share of the second classifier, (K,) or, with ``valid`` (...,Q), (...,Q,K): alpha for seen, beta for unseen
    classes, 0 for proposals that the second classifier could not look at."""
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is the share of the second classifier, in [0, 1], got {value}")
    weights = torch.where(seen, float(alpha), float(beta))
    return weights if valid is None else weights * valid[..., None]


def log_ensemble(first: Tensor, second: Tensor, weights: Tensor | float) -> Tensor:
    """Log-probabilities (...,Q,K+1) of two classifiers' geometric mean; void is decided by the first alone.

    FC-CLIP (arXiv 2308.02487, eq. 7): ``softmax(first)^(1-w) * softmax(second)^w`` over the K classes, made to sum to
    one minus the first's probability of void. Computed from log-probabilities in float32, so that no product of
    underflowed softmaxes makes a proposal NaN.

    Args:
        first: (...,Q,K+1) logits of the classifier that learned, void last.
        second: (...,Q,K) or (...,Q,K+1) logits of the frozen classifier; its void does not count.
        weights: share of the second, broadcast to (...,Q,K); see ``ensemble_weights``. 1 takes the second alone
            (MAFT+).

    Returns:
        ``log(probability + 1e-8)`` of all classes and void; its softmax is the probabilities again.
    """
    classes = first.shape[-1] - 1
    if second.shape[-1] not in (classes, classes + 1):
        raise ValueError(f"the second classifier has {second.shape[-1]} columns for {classes} classes and void")
    first, second = first.float(), second.float()[..., :classes]
    learned = first[..., :classes].log_softmax(-1).clamp(min=LOG_FLOOR)
    frozen = second.log_softmax(-1).clamp(min=LOG_FLOOR)
    mixed = ((1 - weights) * learned + weights * frozen).softmax(-1)
    void = first.softmax(-1)[..., classes:]
    return torch.cat([mixed * (1 - void), void], dim=-1).add(PROBABILITY_FLOOR).log()
