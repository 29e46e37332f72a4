"""mIoU over groups of classes: things, stuff, base, novel and all."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.evaluation import IoUMetric

from ovdense.registry import METRICS


@METRICS.register_module()
class GroupedIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` and the mIoU in percent of groups of classes: ``mIoU_thing``, ``mIoU_stuff``, ...

    As in the stock figure, classes that occur in neither truth nor prediction do not count; a group of which none
    occurs has the mIoU NaN.

    Args:
        groups: names of groups of the dataset's ``groups`` meta (group -> class indices); those it lacks are left out.
        kwargs: as in ``IoUMetric``.
    """

    def __init__(self, groups: Sequence[str] = ("thing", "stuff"), **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = tuple(groups)

    def compute_metrics(self, results: list) -> dict[str, float]:
        metrics = dict(super().compute_metrics(results))
        if self.format_only:
            return metrics
        intersection, union = (sum(parts) for parts in list(zip(*results))[:2])
        iou = 100 * intersection / union
        known = self.dataset_meta.get("groups", {})
        for name in self.groups:
            if name in known:
                metrics[f"mIoU_{name}"] = round(float(torch.nanmean(iou[list(known[name])])), 2)
        return metrics
