"""Winning class and its probability of logits that arrive class by class, so that they never exist all at once.

Shapes: S phrases, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ovdense.functional.similarity import synonym_max


class OnlineArgmax:
    """Running argmax and softmax normaliser over chunks of classes.

    Args:
        scale: factor of the logits inside the softmax.
        softmax: over all phrases; without it the logits are probabilities already, and the top one is returned as it
            is.
    """

    def __init__(self, *, scale: float = 1.0, softmax: bool = True) -> None:
        self.scale = scale
        self.softmax = softmax
        self.best: Tensor | None = None
        self.labels: Tensor | None = None
        self.normaliser: Tensor | None = None

    def update(self, logits: Tensor, class_index: Tensor, allowed: Tensor | None = None) -> None:
        """Take in whole classes: logits (s,H,W) of phrases whose classes (s,) appear in no other chunk.

        ``allowed`` (K,) bool: classes that may win; the others still count in the normaliser.
        """
        classes, index = class_index.to(logits.device).unique(return_inverse=True)
        scores = logits
        if len(classes) < len(logits):
            scores = synonym_max(logits[None], index, len(classes))[0]
        if self.softmax:
            spread = torch.logsumexp(logits * self.scale, dim=0)
            self.normaliser = spread if self.normaliser is None else torch.logaddexp(self.normaliser, spread)
        if allowed is not None:
            keep = allowed.to(classes.device)[classes]
            scores, classes = scores[keep], classes[keep]
            if not len(classes):
                return
        top, winner = scores.max(dim=0)
        winner = classes[winner]
        if self.best is None:
            self.best, self.labels = top, winner
        else:
            better = (top > self.best) | ((top == self.best) & (winner < self.labels))
            self.best = torch.where(better, top, self.best)
            self.labels = torch.where(better, winner, self.labels)

    def probability(self) -> Tensor:
        """Top probability (H,W)."""
        if self.best is None:
            raise ValueError("no class was allowed to win: update() must see at least one allowed class")
        if not self.softmax:
            return self.best
        return torch.exp(self.best * self.scale - self.normaliser)


def class_chunks(class_index: Tensor, size: int) -> Iterator[Tensor]:
    """Phrase indices in chunks of about ``size`` that never split a class; ``class_index`` (S,) in any order."""
    order = torch.argsort(class_index, stable=True)
    counts = class_index.unique(return_counts=True)[1].tolist()
    start = stop = 0
    for count in counts:
        if stop > start and stop + count - start > size:
            yield order[start:stop]
            start = stop
        stop += count
    yield order[start:stop]
