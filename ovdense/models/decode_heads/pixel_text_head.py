"""The plain open-vocabulary head: cosine of every patch with every phrase."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.similarity import minmax_normalize, pixel_logits
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class PixelTextHead(BaseModule):
    """Dense features (B,C,h,w) and phrase rows (S,C) -> cosines (B,S,h,w). Nothing to learn.

    Args:
        normalize_maps: stretch each prompt's map to [0, 1] by its extremes at full input resolution, as GEM
            (arXiv 2312.00878) does for its heat maps. The maps of different prompts are then no longer comparable.
    """

    uses_text = True
    gives_probability = False

    def __init__(self, *, normalize_maps: bool = False, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.normalize_maps = normalize_maps
        self.gives_probability = normalize_maps

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Patch logits (B,S,h,w); cosines, unscaled."""
        logits = pixel_logits(features.dense, rows)
        if self.normalize_maps:
            logits = minmax_normalize(logits, *full_size_extremes(logits, features))
        return logits


def full_size_extremes(logits: Tensor, features: DenseFeatures, chunk: int = 16) -> tuple[Tensor, Tensor]:
    """Smallest and largest value (B,S) of the maps (B,S,h,w) after bilinear upsampling to the input size.

    They lie inside the patch grid's own extremes, since no pixel centre falls on a patch centre.
    """
    left, top, right, bottom = features.padding
    height, width = features.image_size or tuple(side * features.stride for side in features.grid)
    size = (height + top + bottom, width + left + right)
    low, high = [], []
    for part in logits.split(chunk, dim=1):
        full = F.interpolate(part, size=size, mode="bilinear")[..., top : top + height, left : left + width]
        low.append(full.flatten(2).amin(dim=2))
        high.append(full.flatten(2).amax(dim=2))
    return torch.cat(low, dim=1), torch.cat(high, dim=1)
