"""Heat maps and labels from a decomposed image embedding (arXiv 2310.05916)."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.decomposition import centred
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class DecompositionHead(BaseModule):
    """Direct effects of the patches (B,C,h,w) along unit phrase rows (S,C) -> heat (B,S,h,w). Nothing to learn.

    The heat of a phrase is what the patch adds to the cosine of picture and phrase.

    Args:
        scale: factor that brings the heat, which is shared out over all patches, to the range of cosines; None for the
            number of patches.
        subtract_mean: take off the mean over all phrases, as the official segmenter does; one phrase alone stays.
    """

    uses_text = True
    gives_probability = False

    def __init__(self, *, scale: float | None = None, subtract_mean: bool = True, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.scale, self.subtract_mean = scale, subtract_mean

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """(B,S,h,w)."""
        effects = features.dense
        heat = (rows.to(effects) @ effects.flatten(2)).unflatten(2, tuple(effects.shape[-2:]))
        heat = heat * (effects.shape[-2] * effects.shape[-1] if self.scale is None else self.scale)
        return centred(heat) if self.subtract_mean else heat
