"""MaskCLIP's refinements of the plain cosine: key smoothing and prompt denoising (arXiv 2112.01071)."""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.similarity import denoise_prompts, pixel_logits, smooth_by_keys
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class MaskCLIPHead(BaseModule):
    """Dense features and phrase rows -> cosines (B,S,h,w), or probabilities when key smoothing is on.

    Args:
        ks_thresh: key smoothing: patches of lower top probability take their look-alikes' probabilities; 1.0 smooths
            all, None none. Needs the backbone's keys: ``backbone=dict(capture=("k_out",))`` for a ViT (keys after the
            output projection, as the official code takes them), ``capture=("k",)`` for a ResNet.
        pd_thresh: prompt denoising: phrases whose probability reaches this nowhere in the image are dropped; 0.5 is
            the paper's value, None keeps all.
        temperature: factor of the cosines inside the softmax of both.
        official_quirks: take the keys' norm along the tokens and leave the weights unnormalised, as the official code
            does, instead of the paper's cosine of the keys.
    """

    uses_text = True

    def __init__(
        self,
        *,
        ks_thresh: float | None = None,
        pd_thresh: float | None = None,
        temperature: float = 100.0,
        official_quirks: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.ks_thresh = ks_thresh
        self.pd_thresh = pd_thresh
        self.temperature = temperature
        self.official_quirks = official_quirks

    @property
    def gives_probability(self) -> bool:
        """True where ``forward`` returns probabilities, which the segmentor must not put through a softmax again."""
        return self.ks_thresh is not None

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Patch logits (B,S,h,w)."""
        logits = pixel_logits(features.dense, rows)
        if self.pd_thresh is not None:
            logits = denoise_prompts(logits, self.pd_thresh, self.temperature)
        if self.ks_thresh is not None:
            keys = _keys(features)
            logits = smooth_by_keys(logits, keys, self.ks_thresh, self.temperature, over_tokens=self.official_quirks)
        return logits


def _keys(features: DenseFeatures) -> Tensor:
    """Keys (B,D,h,w) of the last block."""
    for name in ("k_out", "k"):
        if name in features.extras:
            return features.extras[name]
    raise ValueError(
        "key smoothing needs the keys of the last block: set backbone=dict(capture=('k_out',)) for a ViT or ('k',) for "
        f"a ResNet; the backbone gave {sorted(features.extras) or 'no extra maps'}"
    )
