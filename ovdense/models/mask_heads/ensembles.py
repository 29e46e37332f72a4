"""How the classifier that learned and the frozen CLIP agree on a proposal's class.

An ensemble is a module ``(first, second, seen, usable) -> (B,Q,K+1)`` probabilities, void last.
"""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.mask_classification import ensemble_weights, log_ensemble
from ovdense.registry import MODELS


@MODELS.register_module()
class SeenUnseenEnsemble(BaseModule):
    """Geometric mean whose weight differs for seen and unseen classes (FC-CLIP, arXiv 2308.02487, eq. 7).

    Args:
        alpha: share of the frozen CLIP for classes of the training vocabulary. 1 for both: the frozen CLIP alone.
        beta: its share for the others.
    """

    def __init__(self, *, alpha: float = 0.4, beta: float = 0.8) -> None:
        super().__init__()
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is a share in [0, 1], got {value}")
        self.alpha, self.beta = alpha, beta

    def logits(self, first: Tensor, second: Tensor, seen: Tensor, usable: Tensor | None = None) -> Tensor:
        """Log-probabilities (B,Q,K+1)."""
        return log_ensemble(first, second, ensemble_weights(seen, self.alpha, self.beta, usable))

    def forward(self, first: Tensor, second: Tensor, seen: Tensor, usable: Tensor | None = None) -> Tensor:
        """Probabilities (B,Q,K+1) of logits (B,Q,K+1) that learned and logits (B,Q,K+1) of the frozen CLIP.

        Args:
            seen: (K,) bool.
            usable: (B,Q) bool, proposals that the second classifier could look at; None for all.
        """
        return self.logits(first, second, seen, usable).softmax(dim=-1)
