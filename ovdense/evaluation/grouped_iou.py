"""mIoU over groups of classes and in both definitions that papers use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.logging import MMLogger, print_log
from mmseg.evaluation import IoUMetric
from torch import Tensor

from ovdense.registry import METRICS


def mean_iou(
    intersection: Tensor,
    union: Tensor,
    truth: Tensor,
    *,
    present_only: bool = False,
    members: Sequence[int] | None = None,
) -> float:
    """mIoU in percent from pixel counts (K,); NaN where no class counts.

    Classes of neither truth nor prediction never count. A class that is predicted but has no true pixel counts as 0
    (mmseg, detectron2 0.6, the evaluator of OVSeg) or, with ``present_only``, not at all (detectron2's main branch).

    Args:
        intersection: pixels of each class that are right.
        union: pixels of each class in truth or prediction.
        truth: true pixels of each class.
        members: classes that the mean is taken over; default all.
    """
    counts = (truth if present_only else union) > 0
    iou = torch.where(counts, 100 * intersection.double() / union.double(), torch.nan)
    return float(torch.nanmean(iou if members is None else iou[list(members)]))


@METRICS.register_module()
class GroupedIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` in both definitions of mIoU, and the mIoU of groups of classes: ``mIoU_thing``, ...

    A group of which no class occurs has the mIoU NaN. With the score goes a line that gives both definitions.

    Args:
        groups: names of groups of the dataset's ``groups`` meta (group -> class indices); those it lacks are left out.
        present_only: see ``mean_iou``; it holds for every figure of a class (IoU, Dice, Fscore). Only data sets with
            many rare classes move by it, PC-459 above all.
        kwargs: as in ``IoUMetric``; ``ignore_index`` is the dataset's where its meta has one (65535 of 16-bit maps).
    """

    def __init__(self, groups: Sequence[str] = ("thing", "stuff"), present_only: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.groups = tuple(groups)
        self.present_only = present_only

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        self.ignore_index = self.dataset_meta.get("ignore_index", self.ignore_index)
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        if self.format_only:
            return dict(super().compute_metrics(results))
        intersection, union, predicted, truth = (sum(parts) for parts in zip(*results))
        kept = truth > 0 if self.present_only else union > 0
        counted = (intersection, union * kept, predicted * kept, truth)
        metrics = dict(super().compute_metrics([counted]))
        known = self.dataset_meta.get("groups") or {}
        self.class_table = {"IoU": self._rows(intersection, union * kept, truth, known)}
        for name in self.groups:
            if name in known:
                members = known[name]
                score = mean_iou(intersection, union, truth, present_only=self.present_only, members=members)
                metrics[f"mIoU_{name}"] = round(score, 2)
        if "mIoU" in self.metrics:
            both = {option: mean_iou(intersection, union, truth, present_only=option) for option in (False, True)}
            print_log(
                f"mIoU {both[self.present_only]:.2f} with present_only={self.present_only} "
                f"({both[not self.present_only]:.2f} with present_only={not self.present_only})",
                logger=MMLogger.get_current_instance(),
            )
        return metrics

    def _rows(self, intersection: Tensor, union: Tensor, truth: Tensor, known: Mapping) -> list[dict]:
        """Name, groups, IoU and accuracy in percent (NaN where undefined) and true pixels of every class."""
        iou, accuracy = (100 * intersection.double() / total.double() for total in (union, truth))
        rows = []
        for index, name in enumerate(self.dataset_meta["classes"]):
            groups = [group for group, members in known.items() if index in members]
            figures = dict(IoU=float(iou[index]), Acc=float(accuracy[index]), pixels=int(truth[index]))
            rows.append(dict(name=name, group=" ".join(groups), **figures))
        return rows
