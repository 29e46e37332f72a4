"""Panoptic quality (Kirillov et al., arXiv 1801.00868), counted as panopticapi does.

A predicted and a true segment of one class match if their IoU is over 0.5; pixels without truth (void) do not count
into the union. Predictions that lie by more than half in void or in a crowd of their class are no errors; crowds need
not be found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from ovdense.datasets.panoptic_files import PanopticFiles, read_segment_ids, segments_of_mmdet
from ovdense.functional.panoptic import INSTANCE_OFFSET
from ovdense.registry import METRICS


@METRICS.register_module()
class PanopticQuality(BaseMetric):
    """PQ, SQ and RQ in percent, over all classes and over groups of classes.

    Reads ``pred_panoptic_seg.sem_seg`` ((1, H, W), as mmdet encodes it) and the truth from the first of these that is
    there: COCO panoptic files; the sample's ``panoptic``, ``dict(ids=(H, W) int, segments=[dict(id=, label=,
    iscrowd=)])`` with id 0 for void; its ``seg_map_path`` and ``segments_info``, as mmdet's panoptic datasets give them
    (they leave out segments whose box is under a pixel wide, so the files are the official way).

    Args:
        groups: names of groups of the dataset's ``groups`` meta (group -> class indices) that get figures of their own;
            ``thing`` and ``stuff`` are found by ``thing_classes`` and ``stuff_classes`` too.
        ann_file: a COCO panoptic json; pictures are found by ``img_id``.
        seg_prefix: folder of the PNGs that belong to it.

    Raises:
        ValueError: a prediction of another size than the truth, or a sample without truth.
    """

    default_prefix = "scenes"

    def __init__(
        self,
        groups: Sequence[str] = ("thing", "stuff", "base", "novel"),
        ann_file: str | None = None,
        seg_prefix: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = tuple(groups)
        if (ann_file is None) != (seg_prefix is None):
            raise ValueError(f"ann_file and seg_prefix go together, got ann_file={ann_file}, seg_prefix={seg_prefix}")
        self.ann_file, self.seg_prefix = ann_file, seg_prefix
        self._files: PanopticFiles | None = None

    def process(self, data_batch, data_samples: Sequence[Mapping]) -> None:
        count = len(self.dataset_meta["classes"])
        for sample in data_samples:
            predicted, truth = np.asarray(sample["pred_panoptic_seg"]["sem_seg"]), self._truth(sample)
            if predicted.shape[-2:] != truth["ids"].shape:
                raise ValueError(
                    f"a panoptic map has the size of the original picture, {truth['ids'].shape}, "
                    f"got {tuple(predicted.shape[-2:])}: predict with rescale=True"
                )
            self.results.append(
                count_segments(predicted.reshape(predicted.shape[-2:]), truth["ids"], truth["segments"], count)
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        total = np.sum(results, axis=0)
        self.class_table = {"PQ": self._rows(total)}
        members = {"": range(len(total)), **{name: self._members(name) for name in self.groups}}
        metrics = {}
        for name, indices in members.items():
            for key, value in quality(total[list(indices)]).items():
                metrics[f"{key}_{name}" if name else key] = round(value, 2)
        return metrics

    def _rows(self, total: np.ndarray) -> list[dict]:
        """Name, groups, PQ, SQ and RQ in percent (NaN where a class does not occur) and counts of every class."""
        members = {name: set(self._members(name)) for name in self.groups}
        rows = []
        for index, name in enumerate(self.dataset_meta["classes"]):
            groups = " ".join(group for group, indices in members.items() if index in indices)
            counts = dict(zip(("matched", "surplus", "missed"), total[index, 1:].astype(int).tolist()))
            rows.append(dict(name=name, group=groups, **quality(total[[index]]), **counts))
        return rows

    def _truth(self, sample: Mapping) -> Mapping:
        if self.ann_file is not None:
            if self._files is None:
                self._files = PanopticFiles(self.ann_file, self.seg_prefix, self.dataset_meta["classes"])
            return self._files[sample["img_id"]]
        if sample.get("panoptic") is not None:
            return sample["panoptic"]
        if sample.get("seg_map_path") is None or sample.get("segments_info") is None:
            raise ValueError(
                "panoptic quality needs the truth: set ann_file and seg_prefix, or keep the meta keys "
                f"'panoptic', or 'seg_map_path' and 'segments_info'; the sample has {sorted(sample)}"
            )
        segments = segments_of_mmdet(sample["segments_info"], self._members("thing"))
        return dict(ids=read_segment_ids(sample["seg_map_path"]), segments=segments)

    def _members(self, group: str) -> Sequence[int]:
        meta = self.dataset_meta
        if group in meta.get("groups", {}):
            return meta["groups"][group]
        named = set(meta.get(f"{group}_classes", ()))
        return [label for label, name in enumerate(meta["classes"]) if name in named]


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
    base = int(predicted.max(initial=0)) + 1
    pairs, areas = np.unique(ids.astype(np.int64).ravel() * base + predicted.ravel(), return_counts=True)
    overlap = {divmod(pair, base): area for pair, area in zip(pairs.tolist(), areas.tolist())}
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
