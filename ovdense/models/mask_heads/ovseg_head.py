"""The proposal head of OVSeg (arXiv 2210.04150), MaskFormer with text for a classifier, and its ensemble.

Shapes: B images, Q proposals, K classes (void is column K), C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.dense_heads import MaskFormerHead
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.proposal_scores import ensemble_proposals
from ovdense.models.mask_heads.base import TextClassifierMixin
from ovdense.registry import MODELS


@MODELS.register_module()
class OVSegHead(TextClassifierMixin, MaskFormerHead):
    """Stage maps -> mask logits and proposal embeddings, (B,Q,h,w) and (B,Q,C), after each decoder layer.

    A proposal's embedding is a two-layer perceptron of its query.

    Args:
        hidden_channels: width of the perceptron.
        logit_scale: factor of the cosines, a constant of 100 in the paper.
        kwargs: those of ``TextClassifierMixin`` and of mmdet's ``MaskFormerHead``.
    """

    def __init__(self, *, hidden_channels: int = 1024, logit_scale: float | str = 100.0, **kwargs) -> None:
        super().__init__(logit_scale=logit_scale, **kwargs)
        width = self.mask_embed[0].in_features
        self.cls_embed = nn.Sequential(
            nn.Linear(width, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, self.embed_dim)
        )

    def embeddings_and_masks(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> tuple[Tensor, Tensor]:
        """Proposal embeddings (L,B,Q,C) and mask logits (L,B,Q,h,w) of the L decoder layers."""
        return MaskFormerHead.forward(self, x, batch_data_samples)


@MODELS.register_module()
class OVSegEnsemble(BaseModule):
    """Unnormalised geometric mean of the proposal classifier and the region CLIP.

    Args:
        weight: of the region CLIP: 0.7 for ADE20K, 0.6 for PASCAL Context, 0.45 for VOC in the paper; 0 takes the
            region CLIP alone, as the official demo does.
    """

    def __init__(self, *, weight: float = 0.7) -> None:
        super().__init__()
        if not 0 <= weight <= 1:
            raise ValueError(f"weight is the region CLIP's share in [0, 1], got {weight}")
        self.weight = weight

    def forward(self, first: Tensor, second: Tensor, seen: Tensor, usable: Tensor | None = None) -> Tensor:
        """Scores (B,Q,K+1), void last, of proposal logits (B,Q,K+1) and region logits (B,Q,K).

        Args:
            seen: not used, the weight is the same for all classes.
            usable: (B,Q) bool, proposals that have a pixel; None for all.
        """
        first, second = first.float().softmax(dim=-1), second.float().softmax(dim=-1)
        usable = torch.ones_like(first[..., 0], dtype=torch.bool) if usable is None else usable
        classes = ensemble_proposals(first[..., :-1], second, usable, self.weight)
        return torch.cat([classes, first[..., -1:]], dim=-1)
