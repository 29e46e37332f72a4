"""MaskCLIP on a ViT: value path, key smoothing, prompt denoising, and the label map of the padded grid."""

import re

import torch

from adapters.base import Adapter, patch_rows, vit_config
from ovdense.registry import MODELS


class MaskCLIPViTAdapter(Adapter):
    methods = ("maskclip_vit",)

    def model_config(self):
        eps = self.case.meta.get("vit", {}).get("ln_eps", 1e-6)
        model = vit_config(self.case, act="GELU")
        return super().model_config() | dict(model=model, position="mmseg", padding="corner", ln_eps=eps)

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        name = point.removeprefix(f"{tag}/")
        if name in ("q", "k"):
            captured = f"{name}_out"
            return patch_rows(self.features(tag, attention="value", capture=(captured,)).extras[captured])
        if name in ("x", "v"):
            return self.normed_tokens(tag, "vanilla" if name == "x" else "value")
        if name == "feat_proj":
            return self.features(tag, attention="value").dense
        if name.startswith("out_"):
            head = maskclip_head(name.removeprefix("out_"))
            return head(self.features(tag, attention="value", capture=("k_out",)), self.text)
        if name.startswith("upsampled_pred_"):
            head = maskclip_head(name.removeprefix("upsampled_pred_"))
            settings = dict(mode="whole", official_quirks=True, logit_scale=100.0)
            model = self.segmentor(
                dict(attention="value", capture=("k_out",)),
                settings,
                decode_head=dict(type="MaskCLIPHead", **head.options),
            )
            return self.labels(model, tag, tuple(self.case.images[tag].shape[-2:]))
        return None

    def normed_tokens(self, tag, attention):
        """(B,D,h,w) patch tokens after the final norm, before the projection."""
        backbone = self.backbone(attention=attention, capture=("tokens",))
        features = backbone(self.case.images[tag])
        rows = backbone.visual.ln_post(patch_rows(features.extras["tokens"]))
        return rows.transpose(1, 2).unflatten(2, features.grid)


def maskclip_head(kind: str) -> torch.nn.Module:
    """The head of ``plain``, ``ks`` (threshold 1), ``ks06`` (.6), ``pd`` (.5), ``kspd``, ..."""
    options = {}
    for key, default in (("ks", 1.0), ("pd", 0.5)):
        found = re.search(rf"{key}(\d*)", kind)
        if found:
            digits = found.group(1)
            options[f"{key}_thresh"] = float(f"{digits[0]}.{digits[1:]}") if digits else default
    head = MODELS.build(dict(type="MaskCLIPHead", official_quirks=True, **options))
    head.options = dict(official_quirks=True, **options)
    return head
