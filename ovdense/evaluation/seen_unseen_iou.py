"""Generalised zero-shot segmentation: mIoU of seen and of unseen classes, and their harmonic mean."""

from __future__ import annotations

from mmseg.evaluation import IoUMetric

from ovdense.evaluation.grouped_iou import mean_iou
from ovdense.models.zero_shot_splits import load_split
from ovdense.registry import METRICS


def harmonic_mean(seen: float, unseen: float) -> float:
    """2 S U / (S + U); 0 if both are 0, NaN if one is NaN."""
    total = seen + unseen
    return 0.0 if total == 0 else 2 * seen * unseen / total


@METRICS.register_module()
class SeenUnseenIoUMetric(IoUMetric):
    """S, U, hIoU and pixel accuracy over the whole test set, in percent.

    Gives ``mIoU_seen``, ``mIoU_unseen``, ``hIoU`` (of the unrounded two) and ``pAcc`` beside the figures of
    ``IoUMetric``. The prediction is made among all classes at once. Classes of neither truth nor prediction do not
    count (nan-mean, as in ZegCLIP).

    Args:
        split: name of a split (``voc-15-5``, ...), or names of the unseen classes.
        present_only: leave classes without true pixels out, see ``mean_iou``.
        kwargs: as in ``IoUMetric``.
    """

    def __init__(self, *, split, present_only: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.split = load_split(split)
        self.present_only = present_only

    def compute_metrics(self, results: list) -> dict[str, float]:
        metrics = dict(super().compute_metrics(results))
        if self.format_only:
            return metrics
        intersection, union, _, truth = (sum(parts) for parts in zip(*results))
        groups = self.split.groups(self.dataset_meta["classes"])
        scores = {
            name: mean_iou(intersection, union, truth, present_only=self.present_only, members=members)
            for name, members in groups.items()
        }
        metrics.update({f"mIoU_{name}": round(score, 2) for name, score in scores.items()})
        metrics["hIoU"] = round(harmonic_mean(scores["seen"], scores["unseen"]), 2)
        total = float(truth.sum())
        metrics["pAcc"] = round(100 * float(intersection.sum()) / total, 2) if total else float("nan")
        return metrics

    def describe(self) -> dict:
        """For the protocol that is said with every score."""
        unseen = len(self.split.unseen)
        line = f"mIoU of seen and {unseen} unseen classes ({self.split.name}), present_only={self.present_only}"
        return dict(
            type=type(self).__name__,
            measures=["mIoU_seen", "mIoU_unseen", "hIoU", "pAcc"],
            split=self.split.name,
            unseen=list(self.split.unseen),
            present_only=self.present_only,
            line=line,
        )
