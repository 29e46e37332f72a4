"""Panoptic quality (Kirillov et al., arXiv 1801.00868), counted as panopticapi does.

A predicted and a true segment of one class match if their IoU is over 0.5; pixels without truth (void) do not count
into the union. Predictions that lie by more than half in void or in a crowd of their class are no errors; crowds need
not be found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ovdense.functional.panoptic import INSTANCE_OFFSET
from ovdense.registry import METRICS


@METRICS.register_module()
class PanopticQuality(BaseMetric):
    """PQ, SQ and RQ in percent, over all classes and over groups of classes.

    Reads ``pred_panoptic_seg.sem_seg`` ((1, H, W), as mmdet encodes it) and the sample's ``panoptic`` truth:
    ``dict(ids=(H, W) int, segments=[dict(id=, label=, iscrowd=)])`` with id 0 for void.

    Args:
        groups: names of groups of the dataset's ``groups`` meta (group -> class indices) that get figures of their own.
    """

    default_prefix = "scenes"

    def __init__(self, groups: Sequence[str] = ("thing", "stuff", "base", "novel"), **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = tuple(groups)

    def process(self, data_batch, data_samples: Sequence[Mapping]) -> None:
        count = len(self.dataset_meta["classes"])
        for sample in data_samples:
            predicted = np.asarray(sample["pred_panoptic_seg"]["sem_seg"]).reshape(sample["panoptic"]["ids"].shape)
            truth = sample["panoptic"]
            self.results.append(count_segments(predicted, truth["ids"], truth["segments"], count))

    def compute_metrics(self, results: list) -> dict[str, float]:
        total = np.sum(results, axis=0)
        members = {"": range(len(total)), **{name: self.dataset_meta["groups"].get(name, ()) for name in self.groups}}
        metrics = {}
        for name, indices in members.items():
            for key, value in quality(total[list(indices)]).items():
                metrics[f"{key}_{name}" if name else key] = round(value, 2)
        return metrics


def count_segments(predicted: np.ndarray, ids: np.ndarray, segments: Sequence[Mapping], num_classes: int) -> np.ndarray:
    """(K, 4) of one picture: sum of IoU of the matches, true positives, false positives, false negatives by class.

    Args:
        predicted: (H, W) int, class + 1000 * instance; void where the class is K or more.
        ids: (H, W) int, the true segments, 0 = void.
        segments: ``id``, ``label`` and ``iscrowd`` of the true segments.
        num_classes: K.
    """
    counts = np.zeros((num_classes, 4))
    truth = {segment["id"]: segment for segment in segments}
    pairs, overlaps = np.unique(np.stack([ids.ravel(), predicted.ravel()]), axis=1, return_counts=True)
    overlap = {(int(true), int(pred)): int(area) for (true, pred), area in zip(pairs.T, overlaps)}
    true_area, pred_area = _areas(ids), _areas(predicted)
    matched_true, matched_pred = set(), set()
    for (true, pred), area in overlap.items():
        label = pred % INSTANCE_OFFSET
        if true not in truth or truth[true].get("iscrowd") or truth[true]["label"] != label:
            continue
        union = true_area[true] + pred_area[pred] - area - overlap.get((0, pred), 0)
        if area / union > 0.5:
            counts[label, :2] += area / union, 1
            matched_true.add(true)
            matched_pred.add(pred)
    for true, segment in truth.items():
        if true not in matched_true and not segment.get("iscrowd"):
            counts[segment["label"], 3] += 1
    crowds = {segment["label"]: true for true, segment in truth.items() if segment.get("iscrowd")}
    for pred, area in pred_area.items():
        label = pred % INSTANCE_OFFSET
        if label >= num_classes or pred in matched_pred:
            continue
        excused = overlap.get((0, pred), 0) + overlap.get((crowds.get(label), pred), 0)
        counts[label, 2] += excused / area <= 0.5
    return counts


def quality(counts: np.ndarray) -> dict[str, float]:
    """PQ, SQ and RQ in percent, means over the classes that occur in truth or prediction; NaN if none does."""
    iou, hits, surplus, missed = counts.T
    occurs = hits + surplus + missed > 0
    if not occurs.any():
        return dict(PQ=float("nan"), SQ=float("nan"), RQ=float("nan"))
    iou, hits, size = iou[occurs], hits[occurs], (hits + surplus / 2 + missed / 2)[occurs]
    segmentation = np.divide(iou, hits, out=np.zeros_like(iou), where=hits > 0)
    return dict(
        PQ=100 * float((iou / size).mean()), SQ=100 * float(segmentation.mean()), RQ=100 * float((hits / size).mean())
    )


def _areas(segments: np.ndarray) -> dict[int, int]:
    return dict(zip(*(values.tolist() for values in np.unique(segments, return_counts=True))))
