"""Masks of phrases at many thresholds: mIoU, IoU_FG, IoU_BIN and AP, as CLIPSeg reports them on PhraseCut."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from ovdense.functional.threshold_curves import average_precision, binary_iou, counts_at, iou, thresholds
from ovdense.registry import METRICS


@METRICS.register_module()
class PhraseMaskMetric(BaseMetric):
    """Counts of all pictures at 49 thresholds, summed.

    ``IoU_FG`` is the IoU of all pixels together, ``mIoU`` the mean over phrases, ``IoU_BIN`` the mean of foreground and
    background, each at the given thresholds and at the best (``_best``); ``AP`` the area under precision over recall.
    All in %.

    Args:
        at: thresholds that are told, multiples of 0.02.
        official_quirks: add 1 to every denominator, as the official code; by default an empty phrase that nothing is
            found of counts as 1.
        kwargs: of mmengine's ``BaseMetric``.
    """

    default_prefix = "phrases"

    def __init__(self, *, at: Sequence[float] = (0.3, 0.5), official_quirks: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.levels, self.smooth = thresholds(), 1.0 if official_quirks else 0.0
        self.at = {value: int((self.levels - value).abs().argmin()) for value in at}
        off = [value for value, index in self.at.items() if abs(float(self.levels[index]) - value) > 1e-6]
        if off:
            raise ValueError(f"thresholds are multiples of 0.02 between 0 and 1, got {off}")

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            if "phrase_prob" not in sample:
                raise ValueError("PhraseMaskMetric needs phrase_prob: pictures with a phrase and a CLIPSegmentor")
            probability, truth = (sample[key]["data"][0] for key in ("phrase_prob", "gt_sem_seg"))
            known = truth != 255
            counts = counts_at(probability[known], truth.to(probability.device)[known], self.levels)
            self.results.append((int(sample.get("phrase_class", 0)), counts.cpu()))

    def compute_metrics(self, results: list) -> dict[str, float]:
        total = torch.stack([counts for _, counts in results]).sum(0)
        by_phrase: dict[int, torch.Tensor] = {}
        for phrase, counts in results:
            by_phrase[phrase] = by_phrase.get(phrase, 0) + counts
        curves = {
            "mIoU": self._filled(iou(torch.stack(list(by_phrase.values())), self.smooth)).mean(0),
            "IoU_FG": self._filled(iou(total, self.smooth)),
            "IoU_BIN": self._filled(binary_iou(total, self.smooth)),
        }
        metrics = {}
        for name, curve in curves.items():
            metrics.update({f"{name}_{value:g}": 100 * float(curve[index]) for value, index in self.at.items()})
            metrics[f"{name}_best"] = 100 * float(curve.max())
        return metrics | {"AP": 100 * average_precision(total, self.smooth)}

    @staticmethod
    def _filled(curve: torch.Tensor) -> torch.Tensor:
        return curve.nan_to_num(1.0)
