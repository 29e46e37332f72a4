"""Pixel counts of (truth, prediction), and what follows from them: IoU by class and group, the commonest mix-ups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class ConfusionMatrix:
    """Counts (K, K) int64: rows truth, columns prediction.

    Args:
        classes: names.
        ignore_index: label of pixels that are not scored.
    """

    def __init__(self, classes: Sequence[str], *, ignore_index: int = 255) -> None:
        self.classes, self.ignore_index = tuple(classes), ignore_index
        self.counts = np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> ConfusionMatrix:
        """Counts a picture: labels (H, W) of both; returns its own counts.

        Raises:
            ValueError: other sizes, or a label that is no class.
        """
        if truth.shape != predicted.shape:
            raise ValueError(f"truth and prediction differ in size: {truth.shape} and {predicted.shape}")
        scored = truth != self.ignore_index
        pairs = truth[scored].astype(np.int64), predicted[scored].astype(np.int64)
        total = len(self.classes)
        for name, labels in zip(("truth", "prediction"), pairs):
            if labels.size and not 0 <= labels.min() <= labels.max() < total:
                raise ValueError(f"a {name} has label {labels.max()}, there are {total} classes")
        one = ConfusionMatrix(self.classes, ignore_index=self.ignore_index)
        one.counts = np.bincount(pairs[0] * total + pairs[1], minlength=total**2).reshape(total, total)
        self.counts += one.counts
        return one

    @property
    def iou(self) -> np.ndarray:
        """(K,) in percent; NaN for classes of neither truth nor prediction."""
        right, true, found = self.counts.diagonal(), self.counts.sum(1), self.counts.sum(0)
        union = true + found - right
        return np.where(union > 0, 100 * right / np.maximum(union, 1), np.nan)

    @property
    def accuracy(self) -> np.ndarray:
        """(K,) in percent: share of the true pixels that are found; NaN without true pixels."""
        true = self.counts.sum(1)
        return np.where(true > 0, 100 * self.counts.diagonal() / np.maximum(true, 1), np.nan)

    def summary(self, members: Sequence[int] | None = None) -> dict[str, float]:
        """mIoU, mAcc and, over all classes, aAcc, in percent and rounded to 2 digits."""
        chosen = slice(None) if members is None else list(members)
        scores = dict(mIoU=_mean(self.iou[chosen]), mAcc=_mean(self.accuracy[chosen]))
        if members is None:
            total = int(self.counts.sum())
            scores["aAcc"] = 100 * float(self.counts.trace()) / total if total else float("nan")
        return {name: round(score, 2) for name, score in scores.items()}

    def rows(self) -> list[dict]:
        """One dict a class: name, IoU, Acc, its share of the true pixels, and what it is taken for most often."""
        iou, accuracy, true = self.iou, self.accuracy, self.counts.sum(1)
        total, rows = max(int(true.sum()), 1), []
        for index, name in enumerate(self.classes):
            wrong = self.counts[index].copy()
            wrong[index] = 0
            other = int(wrong.argmax())
            mistaken = f"{self.classes[other]} ({100 * wrong[other] / true[index]:.0f} %)" if wrong[other] else ""
            row = dict(name=name, IoU=round(float(iou[index]), 2), Acc=round(float(accuracy[index]), 2))
            rows.append(dict(row, share=round(100 * int(true[index]) / total, 2), taken_for=mistaken))
        return rows

    def mixups(self, number: int = 10) -> list[tuple[str, str, float]]:
        """The commonest errors: truth, prediction, and their share of all wrong pixels in percent."""
        wrong = self.counts * (1 - np.eye(len(self.classes), dtype=np.int64))
        order = np.argsort(-wrong, axis=None, kind="stable")[:number]
        places = [divmod(int(place), len(self.classes)) for place in order]
        total = max(int(wrong.sum()), 1)
        return [
            (self.classes[true], self.classes[found], round(100 * int(wrong[true, found]) / total, 2))
            for true, found in places
            if wrong[true, found]
        ]


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
