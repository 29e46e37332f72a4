"""Class maps without what classes share: CLIP Surgery (arXiv 2304.05653), the seeds of ExCEL (arXiv 2503.20826)."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.attribute_text import normalise_tokens, surgery_maps
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class SurgeryHead(BaseModule):
    """Features of a ``SurgeryCLIP`` and phrase rows -> maps (B,S,h,w) in 0..1. Nothing to learn.

    Args:
        temperature: of the class token's shares.
        official_quirks: divide each channel by its norm over the tokens, instead of each token by its own.
    """

    uses_text = True
    gives_probability = True

    def __init__(
        self, *, temperature: float = 2.0, official_quirks: bool = False, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.temperature, self.official_quirks = temperature, official_quirks

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """(B,S,h,w)."""
        if features.global_embedding is None:
            raise ValueError("SurgeryHead weighs classes by the class token: use backbone=dict(type='SurgeryCLIP')")
        patches = features.dense.flatten(2).transpose(1, 2)
        tokens = torch.cat([features.global_embedding[:, None], patches], dim=1)
        maps = surgery_maps(normalise_tokens(tokens, self.official_quirks), rows.to(tokens), self.temperature)
        return maps[:, 1:].transpose(1, 2).unflatten(2, features.grid)
