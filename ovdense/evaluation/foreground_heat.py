"""Heat maps scored as on ImageNet-Segmentation: the class of a picture against everything else in it.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import Tensor

from ovdense.functional.decomposition import foreground_map
from ovdense.registry import METRICS


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Area under precision over recall of scores (N,) for truth (N,) bool, ties together; NaN where none is true."""
    total = int(truth.sum())
    if not total:
        return float("nan")
    order = scores.argsort(descending=True, stable=True)
    scores, hits = scores[order], truth[order].double().cumsum(0)
    last = torch.cat([scores[1:] != scores[:-1], scores.new_ones(1, dtype=torch.bool)])
    hits, seen = hits[last], (torch.nonzero(last).flatten() + 1).double()
    gained = torch.diff(hits, prepend=hits.new_zeros(1)) / total
    return float((gained * hits / seen).sum())


@METRICS.register_module()
class ForegroundHeatMetric(BaseMetric):
    """``pixel_accuracy``, ``foreground_mIoU`` and ``foreground_mAP`` in percent.

    Every class that a picture shows is taken by itself: its heat, negatives cut and stretched to 0..1, is foreground
    above its mean. Accuracy and the IoUs of foreground and background are of all pixels together, the average precision
    (of foreground by the heat and of background by the rest, one list) is a mean over pictures and classes. Needs
    ``test_cfg=dict(keep_logits=True)``.

    Args:
        ignore_index: label that no pixel is scored at.
        classes: only these classes are scored; None for all that occur.
    """

    default_prefix = None

    def __init__(self, *, ignore_index: int = 255, classes: Sequence[int] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ignore_index, self.classes = ignore_index, None if classes is None else set(classes)

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Counts of each class of each picture.

        Raises:
            ValueError: samples without ``seg_logits``.
        """
        for sample in data_samples:
            if "seg_logits" not in sample:
                raise ValueError("ForegroundHeatMetric needs the heat: set model.test_cfg.keep_logits=True")
            heat = sample["seg_logits"]["data"].float()
            truth = sample["gt_sem_seg"]["data"][0].to(heat.device)
            if tuple(heat.shape[-2:]) != tuple(truth.shape):
                heat = F.interpolate(heat[None], tuple(truth.shape), mode="bilinear")[0]
            present = [index for index in truth.unique().tolist() if 0 <= index < len(heat)]
            for index in present:
                if index != self.ignore_index and (self.classes is None or index in self.classes):
                    self.results.append(score_heat(heat[index], truth == index, truth != self.ignore_index))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        if not results:
            return dict.fromkeys(("pixel_accuracy", "foreground_mIoU", "foreground_mAP"), float("nan"))
        right, labelled = (sum(row[name] for row in results) for name in ("right", "labelled"))
        union = sum(row["union"] for row in results)
        intersection = sum(row["intersection"] for row in results)
        return dict(
            pixel_accuracy=round(100 * right / labelled, 2),
            foreground_mIoU=round(float(100 * (intersection / np.maximum(union, 1)).mean()), 2),
            foreground_mAP=round(100 * float(np.mean([row["precision"] for row in results])), 2),
        )


def score_heat(heat: Tensor, truth: Tensor, valid: Tensor) -> dict:
    """Counts and average precision of one class's heat (H,W) for truth and labelled pixels (H,W) bool."""
    shown = foreground_map(heat)
    predicted = (shown > shown.mean())[valid]
    shown, truth = shown[valid], truth[valid]
    agree = torch.stack([predicted & truth, ~predicted & ~truth]).sum(1).cpu().numpy()
    either = torch.stack([predicted | truth, ~predicted | ~truth]).sum(1).cpu().numpy()
    precision = average_precision(torch.cat([shown, 1 - shown]), torch.cat([truth, ~truth]))
    return dict(
        right=int(agree.sum()), labelled=int(valid.sum()), intersection=agree, union=either, precision=precision
    )
