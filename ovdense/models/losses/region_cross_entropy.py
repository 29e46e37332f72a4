"""Classification loss of region heads."""

from __future__ import annotations

from torch import Tensor, nn

from ovdense.functional.region_classification import region_cross_entropy
from ovdense.registry import MODELS


@MODELS.register_module()
class RegionCrossEntropy(nn.Module):
    """Cross-entropy with a background weight and a focal factor, called as mmdet's heads call a loss.

    Args:
        background_weight: factor of background samples; RegionCLIP takes 0.2 on COCO and 0.8 on LVIS.
        gamma: focal exponent; RegionCLIP takes 0.5 on COCO.
        average: ``samples``, or ``weights`` as torch's weighted cross-entropy does.
        loss_weight: factor of the loss.
    """

    def __init__(
        self,
        *,
        background_weight: float = 1.0,
        gamma: float = 0.0,
        average: str = "samples",
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.options = dict(background_weight=background_weight, gamma=gamma, average=average)
        self.loss_weight = loss_weight

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Logits (R,K+1) and labels (R,) -> scalar."""
        if reduction_override not in (None, "mean"):
            raise ValueError(f"RegionCrossEntropy gives the mean alone, got reduction_override={reduction_override!r}")
        return self.loss_weight * region_cross_entropy(cls_score, label, weight, avg_factor=avg_factor, **self.options)
