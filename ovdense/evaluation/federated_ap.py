"""LVIS's average precision in numpy: federated truth, at most so many detections a picture, or a class (fixed AP).

A picture says which classes were looked for: those with boxes and the ``negative`` ones; detections of other classes do
not count. Of ``not_exhaustive`` classes not all objects have a box, so that unmatched detections do not count either
(Gupta et al., CVPR 2019). Fixed AP (Dave et al., arXiv 2102.01066) replaces the limit a picture, which makes the score
of one class depend on the others, by the best 10,000 detections of each class.

Shapes: K classes, T IoU thresholds, D detections and G true objects of a class in a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools import mask as coco_mask

RECALLS = np.linspace(0.0, 1.0, 101)
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)


@dataclass
class PictureTruth:
    """True objects of a picture by class (lists of xywh boxes or run lengths), and what is known of other classes."""

    objects: dict[int, list] = field(default_factory=dict)
    negative: frozenset[int] = frozenset()
    not_exhaustive: frozenset[int] = frozenset()

    @property
    def judged(self) -> frozenset[int]:
        return self.negative | self.objects.keys()


@dataclass
class PictureFound:
    """Detections of a picture: labels (N,), scores (N,), and N xywh boxes or run lengths."""

    labels: np.ndarray
    scores: np.ndarray
    shapes: Sequence

    def subset(self, index: np.ndarray) -> PictureFound:
        shapes = self.shapes[index] if isinstance(self.shapes, np.ndarray) else [self.shapes[i] for i in index]
        return PictureFound(self.labels[index], self.scores[index], shapes)


def best_of_picture(found: PictureFound, limit: int) -> PictureFound:
    """The ``limit`` best detections of a picture over all classes; earlier ones first among equals."""
    return (
        found.subset(np.sort(np.argsort(-found.scores, kind="stable")[:limit])) if len(found.labels) > limit else found
    )


def best_of_classes(found: Sequence[PictureFound], limit: int) -> list[PictureFound]:
    """The ``limit`` best detections of every class over all pictures."""
    labels = np.concatenate([one.labels for one in found]) if found else np.zeros(0, int)
    scores = np.concatenate([one.scores for one in found]) if found else np.zeros(0)
    keep = np.ones(len(labels), bool)
    for label in np.flatnonzero(np.bincount(labels.astype(int)) > limit):
        members = np.flatnonzero(labels == label)
        keep[members[np.argsort(-scores[members], kind="stable")[limit:]]] = False
    bounds = np.cumsum([0, *(len(one.labels) for one in found)])
    return [one.subset(np.flatnonzero(keep[lo:hi])) for one, lo, hi in zip(found, bounds[:-1], bounds[1:])]


def federated_precision(
    truth: Sequence[PictureTruth],
    found: Sequence[PictureFound],
    num_classes: int,
    thresholds: np.ndarray = IOU_THRESHOLDS,
) -> np.ndarray:
    """Precision at 101 recalls, (T, 101, K); -1 for classes without a true object."""
    parts: list[list] = [[] for _ in range(num_classes)]
    positives = np.zeros(num_classes, int)
    for here, theirs in zip(truth, found, strict=True):
        for label, objects in here.objects.items():
            positives[label] += len(objects)
        judged = here.judged
        for label in dict.fromkeys(int(one) for one in theirs.labels):
            if label in judged:
                index = np.flatnonzero(theirs.labels == label)
                index = index[np.argsort(-theirs.scores[index], kind="stable")]
                some = theirs.subset(index)
                hit = match(some.shapes, here.objects.get(label, []), thresholds)
                ignored = ~hit if label in here.not_exhaustive else np.zeros_like(hit)
                parts[label].append((some.scores, hit, ignored))
    precision = -np.ones((len(thresholds), len(RECALLS), num_classes))
    for label in np.flatnonzero(positives):
        precision[:, :, label] = _precision(parts[label], positives[label], len(thresholds))
    return precision


def match(found: Sequence, objects: Sequence, thresholds: np.ndarray) -> np.ndarray:
    """Which detections, best first, get an object of their own, (T, D) bool: the free one of largest IoU."""
    hit = np.zeros((len(thresholds), len(found)), bool)
    if not len(found) or not len(objects):
        return hit
    if isinstance(found, np.ndarray):
        objects = np.asarray(objects, np.float64)
        found = found.astype(np.float64)
    overlap = np.asarray(coco_mask.iou(found, objects, [0] * len(objects))).reshape(len(found), len(objects))
    possible = np.flatnonzero(overlap.max(axis=1) >= thresholds.min())
    for row, threshold in enumerate(thresholds):
        free = np.ones(len(objects), bool)
        for one in possible:
            scores = np.where(free, overlap[one], -1.0)
            best = len(scores) - 1 - int(np.argmax(scores[::-1]))  # the last of equals, as COCO's code takes it
            if scores[best] >= min(threshold, 1 - 1e-10):
                hit[row, one], free[best] = True, False
    return hit


def _precision(parts: list, positives: int, count: int) -> np.ndarray:
    """Precision at the recalls, (T, 101), of the detections of a class over all pictures."""
    if not parts:
        return np.zeros((count, len(RECALLS)))
    scores = np.concatenate([part[0] for part in parts])
    order = np.argsort(-scores, kind="mergesort")
    hit = np.concatenate([part[1] for part in parts], axis=1)[:, order]
    ignored = np.concatenate([part[2] for part in parts], axis=1)[:, order]
    true, false = np.cumsum(hit & ~ignored, axis=1), np.cumsum(~hit & ~ignored, axis=1)
    rows = np.zeros((count, len(RECALLS)))
    for row in range(count):
        recall = true[row] / positives
        precise = true[row] / (true[row] + false[row] + np.spacing(1))
        precise = np.maximum.accumulate(precise[::-1])[::-1]
        places = np.searchsorted(recall, RECALLS, side="left")
        rows[row, places < len(precise)] = precise[places[places < len(precise)]]
    return rows
