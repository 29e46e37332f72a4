"""ResCLIP's feedback (arXiv 2411.15851): the labels of a first pass steer the last block's second pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.attention_resclip import feedback_affinity, patch_labels
from ovdense.functional.online_argmax import OnlineArgmax
from ovdense.functional.pamr import Propagation, pamr_affinity
from ovdense.functional.similarity import pixel_logits
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

CLASSES_AT_ONCE = 32


@MODELS.register_module()
class ResCLIPHead(BaseModule):
    """Dense features of the first pass and phrase rows -> cosines (B,S,h,w) of the second.

    Goes with ``backbone=dict(attention="resclip", capture=("block_input", "recorded", "images"))``. An encoded image
    holds what enters the last block, so other names only cost its last block and the refinement.

    Args:
        label_threshold: pixels of the first pass whose top probability is lower take phrase 0 (``temp_thd``).
        logit_scale: factor of the cosines inside that softmax.
        num_iter: PAMR iterations on the first pass's maps; 0 for none.
        dilations: of PAMR, in pixels.
        std: of the blur of the labels' affinity, in patches.
        keep_apart: weaken pairs of patches that no straight line inside their label joins (``delete_same_entity``).
        official_quirks: look at lines and round as the official code does, see ``functional.attention_resclip``.
    """

    uses_text = True
    gives_probability = False

    def __init__(
        self,
        *,
        label_threshold: float = 0.25,
        logit_scale: float = 40.0,
        num_iter: int = 10,
        dilations: Sequence[int] = (8, 16),
        std: float = 5.0,
        keep_apart: bool = True,
        official_quirks: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not 0 <= label_threshold <= 1:
            raise ValueError(f"label_threshold is a probability from 0 to 1, got {label_threshold}")
        self.label_threshold, self.logit_scale = label_threshold, logit_scale
        self.num_iter, self.dilations = num_iter, tuple(dilations)
        self.std, self.keep_apart, self.official_quirks = std, keep_apart, official_quirks
        self._backbone: list = []  # no child: its weights are the segmentor's

    def bind_backbone(self, backbone) -> None:
        """Called by the segmentor with the backbone whose last block is run again."""
        if getattr(getattr(backbone, "variant", None), "name", None) != "resclip":
            raise ValueError(
                "ResCLIPHead runs the last block again: it goes with a transformer backbone of attention='resclip', "
                f"got {type(backbone).__name__}"
            )
        self._backbone = [backbone]

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Patch logits (B,S,h,w); cosines, unscaled."""
        if not self._backbone:
            raise ValueError("ResCLIPHead needs its backbone: build it in OpenVocabSegmentor, or call bind_backbone")
        if "images" not in features.extras:
            raise ValueError("ResCLIPHead refines by the image: add 'images' to backbone=dict(capture=...)")
        cells = self.first_labels(pixel_logits(features.dense, rows), features)
        sfr = feedback_affinity(cells, self.std, self.keep_apart, self.official_quirks)
        return pixel_logits(self._backbone[0].rerun_last(features, sfr=sfr), rows)

    def first_labels(self, logits: Tensor, features: DenseFeatures) -> Tensor:
        """Phrase of each patch (B,h,w) by the first pass's logits (B,S,h,w), refined at the image's size."""
        images = features.extras["images"].float()
        labels = torch.stack([self._pixel_labels(one, image) for one, image in zip(logits, images)])
        return patch_labels(labels, features.grid, features.stride)

    def _pixel_labels(self, logits: Tensor, image: Tensor) -> Tensor:
        """Phrases (H,W) of one image (3,H,W), some phrases at a time."""
        propagation = None
        if self.num_iter:
            propagation = Propagation(pamr_affinity(image[None], self.dilations), self.dilations)
        index = torch.arange(len(logits), device=logits.device)
        best = OnlineArgmax(scale=self.logit_scale)
        for part in index.split(CLASSES_AT_ONCE):
            maps = F.interpolate(logits[None, part].float(), size=image.shape[-2:], mode="bilinear")
            if propagation is not None:
                maps = propagation(maps, self.num_iter)
            best.update(maps[0], part)
        return best.labels.masked_fill(best.probability() < self.label_threshold, 0)
