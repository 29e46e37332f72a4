"""Sliding-window outputs, which the SCLIP family stores alike: logits, labels and class probabilities."""

from __future__ import annotations

import re

from comparison import Labels
from torch import Tensor

from adapters.base import Adapter, named_size, subsample

SETTING_NAMES = dict(prob_thd="prob_threshold", area_thd="area_threshold", scale="logit_scale")


class SlidingAdapter(Adapter):
    """Outputs ``<tag>/logits...``, ``<tag>/<kind>_pred`` and ``<tag>/<kind>_probs`` of input ``img_<tag>``.

    Subclasses say how the backbone is set, and what the official run used where the meta file does not note it.
    """

    slide_backbone: dict = {}
    default_settings: dict[str, dict] = {}

    def sliding(self, tag: str, name: str) -> Tensor | Labels | None:
        """Our value of ``<tag>/<name>``."""
        kind = name.split("_")[0]
        stored = self.case.tensors[f"{tag}/{name}"]
        model = self.slide_model(kind)
        if kind == "logits":
            return subsample(self.phrase_maps(model, tag, named_size(name)), stored)
        size = tuple(self.case.tensors[f"{tag}/{kind}_pred"].shape[-2:])
        if name.endswith("_pred"):
            return self.labels(model, tag, size)
        if "_probs" not in name:
            return None
        full = self.class_probabilities(model, tag, size)
        if name.endswith("_norm"):
            full = full / full.sum(dim=1, keepdim=True)
        return subsample(full[0] if stored.ndim == 3 else full, stored)

    def slide_model(self, kind: str):
        """The segmentor of one kind of output (``plain``, ``thr``, ...)."""
        crop = int(self.case.noted(r"\bcrop (\d+)", str(self.input_resolution())))
        settings = dict(mode="slide", crop_size=crop, stride=int(self.case.noted(r"\bstride (\d+)", str(crop // 2))))
        settings |= self.default_settings.get("all", {}) | self.default_settings.get(kind, {})
        for key, name in SETTING_NAMES.items():
            noted = self.case.noted(rf"\b{re.escape(kind)}:[^;]*?\b{key} ([\d.]*\d)")
            if noted is not None:
                settings[name] = float(noted)
        return self.segmentor(self.slide_backbone, settings, refine=self.refinement(kind))

    def refinement(self, kind: str) -> dict | None:
        """Refinement that the official run had on for this kind of output."""
        return None

    def input_resolution(self) -> int:
        config = self.model_config()["model"]
        return config["vision_cfg"]["image_size"]
