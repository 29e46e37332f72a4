"""What a frozen CLIP says of mask proposals: the out-of-vocabulary branch.

A region classifier is a module ``(features, mask_logits, backbone, images) -> (embeddings, usable)``; the detector
compares the embeddings with the vocabulary by ``scale``. Other poolings (crops, learned pooling maps) register a
subclass of ``CLIPMaskPooling``.

Shapes: B images, Q proposals, C channels of the text space, H x W grid of the masks.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.mask_pooling import has_pixels
from ovdense.models.backbones.base import DenseBackbone
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CLIPMaskPooling(BaseModule):
    """Embeddings of proposals by the backbone's own pooling (``DenseBackbone.embed_masks``), FC-CLIP's branch.

    Args:
        logit_scale: factor on the cosines; None for the CLIP model's own, at most 100. It is kept with the weights.
        valid_only: proposals that own no cell of the backbone's last map do not use this branch. ``auto``: where the
            backbone's pooling is undefined for them (the attention pool of a ResNet), as in the published settings.
    """

    def __init__(self, *, logit_scale: float | None = None, valid_only: bool | str = "auto") -> None:
        super().__init__()
        if valid_only not in (True, False, "auto"):
            raise ValueError(f"valid_only is True, False or 'auto', got {valid_only!r}")
        self.valid_only, self.given_scale = valid_only, logit_scale is not None
        self.register_buffer("logit_scale", torch.tensor(float(logit_scale or 100.0)))

    @property
    def scale(self) -> float:
        """The factor on the cosines."""
        return float(self.logit_scale)

    def attach(self, backbone: DenseBackbone) -> None:
        """Takes the backbone's factor where the config gives none; called once, before weights are loaded."""
        if not self.given_scale:
            self.logit_scale.fill_(backbone.logit_scale)

    def forward(
        self, features: DenseFeatures, mask_logits: Tensor, backbone: DenseBackbone, images: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B,Q,C) of mask logits (B,Q,H,W), and which proposals could be looked at, (B,Q) bool or None."""
        only = backbone.pooling_needs_pixels if self.valid_only == "auto" else self.valid_only
        usable = has_pixels(mask_logits, features.grid) if only else None
        return backbone.embed_masks(features, mask_logits), usable

    def embed_binary(self, features: DenseFeatures, masks: Tensor, backbone: DenseBackbone) -> Tensor:
        """Embeddings (B,Q,C) of masks (B,Q,H,W) of 0 and 1, with gradients where the backbone learns."""
        return backbone.embed_masks(features, 2 * masks.float() - 1)
