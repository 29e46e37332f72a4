"""COCO's average precision over groups of classes: base, novel and all."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.evaluation import CocoMetric

from ovdense.registry import METRICS


@METRICS.register_module()
class GroupedCocoMetric(CocoMetric):
    """mmdet's ``CocoMetric`` and the AP50 of groups of classes: ``bbox_AP50_base``, ``bbox_AP50_novel``, ...

    COCO's AP of a class does not depend on other classes, so that a group's AP is the stock figure of the results of
    its classes. The truth comes with the samples (meta key ``instances``).

    Args:
        groups: names of groups of the dataset's ``groups`` meta (group -> class indices).
        kwargs: as in ``CocoMetric``, without ``ann_file``.
    """

    default_prefix = "scenes"

    def __init__(self, groups: Sequence[str] = ("base", "novel"), **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = tuple(groups)

    def compute_metrics(self, results: list) -> dict[str, float]:
        metrics = self._of(results)
        for kind in self.metrics:
            metrics[f"{kind}_AP50"] = metrics.get(f"{kind}_mAP_50", 0.0)
        for name in self.groups:
            kept = set(self.dataset_meta["groups"].get(name, ()))
            group = self._of([_only(truth, found, kept) for truth, found in results])
            for kind in self.metrics:
                metrics[f"{kind}_AP50_{name}"] = group.get(f"{kind}_mAP_50", 0.0)
        return metrics

    def _of(self, results: list) -> dict[str, float]:
        """The stock figures; the truth's json is written anew each time."""
        self._coco_api = self.cat_ids = self.img_ids = None
        return dict(super().compute_metrics(results))


def _only(truth: dict, found: dict, labels: set[int]) -> tuple[dict, dict]:
    """One picture's truth and results with these labels only."""
    keep = [index for index, label in enumerate(found["labels"].tolist()) if label in labels]
    chosen = {}
    for key, value in found.items():
        if isinstance(value, list):
            chosen[key] = [value[index] for index in keep]
        else:
            chosen[key] = value[keep] if key in ("bboxes", "scores", "labels", "mask_scores") else value
    anns = [instance for instance in truth.get("anns", ()) if instance["bbox_label"] in labels]
    return {**truth, "anns": anns}, chosen
