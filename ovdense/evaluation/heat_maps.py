"""Heat maps against heat maps: KLD, SIM and NSS, as AGD20K is scored (arXiv 2203.09905)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric

from ovdense.registry import METRICS

EPS = 1e-12


def kl_divergence(found: np.ndarray, truth: np.ndarray) -> float:
    """KL divergence of the truth from the prediction, both (H, W) and brought to the sum 1; lower is better."""
    found, truth = found / (found.sum() + EPS), truth / (truth.sum() + EPS)
    return float((truth * np.log(truth / (found + EPS) + EPS)).sum())


def similarity(found: np.ndarray, truth: np.ndarray) -> float:
    """Sum of the smaller of both maps, each brought to the sum 1: 1 for equal maps."""
    return float(np.minimum(found / (found.sum() + EPS), truth / (truth.sum() + EPS)).sum())


def scanpath_saliency(found: np.ndarray, truth: np.ndarray, threshold: float = 0.1) -> float:
    """NSS: mean of the standardised prediction where the truth, stretched to [0, 1], is above the threshold."""
    spread = found.std()
    standard = (found - found.mean()) / (spread if spread > 0 else 1)
    truth = (truth - truth.min()) / (truth.max() - truth.min() + EPS)
    return float(standard[truth > threshold].mean()) if (truth > threshold).any() else 0.0


@METRICS.register_module()
class HeatMapMetric(BaseMetric):
    """KLD (lower is better), SIM and NSS (higher is better), mean over pictures.

    Reads ``pred_heat_map`` and ``gt_heat_map`` (1, h, w) of the samples; both are resized to ``size`` first, as the
    authors of AGD20K do. A prediction's least value becomes 0. Pictures without any true heat are left out.
    """

    def __init__(self, size: int = 224, prefix: str | None = None, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.size = size

    def process(self, data_batch: dict, data_samples: list[dict]) -> None:
        for sample in data_samples:
            found, truth = (self._map(sample[key]["data"]) for key in ("pred_heat_map", "gt_heat_map"))
            if truth.any():
                found = found - found.min()
                self.results.append(
                    (kl_divergence(found, truth), similarity(found, truth), scanpath_saliency(found, truth))
                )

    def _map(self, data: torch.Tensor) -> np.ndarray:
        """(size, size) float64."""
        resized = F.interpolate(data.detach().cpu().double()[None], (self.size, self.size), mode="bilinear")
        return resized[0, 0].numpy()

    def compute_metrics(self, results: list) -> dict[str, float]:
        if not results:
            return dict(KLD=float("nan"), SIM=float("nan"), NSS=float("nan"))
        return {name: round(float(value), 4) for name, value in zip(("KLD", "SIM", "NSS"), np.mean(results, axis=0))}
