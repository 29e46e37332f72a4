"""MAFT+ part by part: content-dependent transfer, its classifier, the mask-aware and the compensation loss."""

import re

import torch
from comparison import SCALED_LOGIT_ATOL

from adapters.base import Adapter
from ovdense.functional.similarity import synonym_max
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.losses.mask_text import (
    compensation_loss,
    mask_quality,
    mask_ranking_loss,
    pooled_descriptors,
)
from ovdense.models.mask_heads.content_transfer import ContentDependentTransfer

NAMES = {"multihead_attn": "attention", "norm": "norm", "MLP": "mlp"}
MODES = {"cdt_out_panoptic0": "semantic", "cdt_out_panoptic1": "panoptic"}


class MAFTPlusModulesAdapter(Adapter):
    methods = ("maftplus_modules",)
    inputs = r"img_feat|text_classifier|pooled_embedding|ma_logits|ma_mask_logits|gt\d+_(labels|masks)|rc_[ab]"

    def __init__(self, case):
        super().__init__(case)
        self.tolerances = {"logits_3d": SCALED_LOGIT_ATOL, "logits_2d": SCALED_LOGIT_ATOL}

    @torch.no_grad()
    def derive(self, point):
        given = self.case.tensors
        if point in MODES:
            return self.transfer(MODES[point])(given["img_feat"], given["text_classifier"])
        if point == "pos":
            features = given["img_feat"]
            return self.transfer("semantic").position(torch.zeros_like(features[:, 0], dtype=torch.bool))
        if point.startswith("logits_"):
            return self.logits(given["cdt_out_panoptic0"] if point == "logits_3d" else given["text_classifier"])
        if point == "ma_loss":
            labels, masks = ([given[f"gt{index}_{kind}"] for index in self.pictures] for kind in ("labels", "masks"))
            return mask_ranking_loss(given["ma_logits"][..., :-1], given["ma_mask_logits"], labels, masks)
        if found := re.match(r"iou_(norm_)?img(\d+)$", point):
            index = int(found[2])
            quality = mask_quality(given["ma_mask_logits"][index], given[f"gt{index}_masks"])
            low, high = quality.amin(1, keepdim=True), quality.amax(1, keepdim=True)
            return (quality - low) / (high - low) if found[1] else quality
        if point == "rc_pod_a":
            return pooled_descriptors(given["rc_a"].clamp(min=0), official_quirks=True)
        if point.startswith("rc_loss"):
            side = min(given["rc_a"].shape[-2:]) if point == "rc_loss_square" else None
            pair = (given[name][..., :side, :side] for name in ("rc_a", "rc_b"))
            return compensation_loss(*pair, official_quirks=True)
        return None

    @property
    def pictures(self):
        return range(len(self.case.tensors["ma_logits"]))

    def transfer(self, mode):
        if mode not in self._built:
            weights = {}
            for key, value in read_state_dict(self.case.weights).items():
                part, _, rest = key.removeprefix("cross_atten.").partition(".")
                weights[f"{NAMES[part]}.{rest}"] = value
            heads = self.case.meta["dims"]["nhead"]
            module = ContentDependentTransfer(len(weights["norm.weight"]), num_heads=heads, mode=mode)
            load_strictly(module, weights, "the official transfer")
            self._built[mode] = module.eval()
        return self._built[mode]

    def logits(self, rows):
        """The best synonym of each class, with void as a class of its own at the end; rows of any length."""
        pooled = torch.nn.functional.normalize(self.case.tensors["pooled_embedding"], dim=-1)
        counts = torch.tensor([*self.case.meta["dims"]["num_templates"], 1])
        phrases = 100 * pooled @ rows.transpose(-1, -2)
        index = torch.arange(len(counts)).repeat_interleave(counts)
        return synonym_max(phrases.movedim(-1, 1), index, len(counts)).movedim(1, -1)
