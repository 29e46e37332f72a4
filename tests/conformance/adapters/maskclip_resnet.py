"""MaskCLIP on OpenAI's ModifiedResNet at stride 32 and 8, and the plain CLIP embedding."""

import math
import re

from adapters.base import Adapter
from ovdense.models.decode_heads import MaskCLIPHead, PixelTextHead

# s8 is the MaskCLIP+ setting of the official config.
TRUNKS = {"s32": {}, "s8": dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True)}


class MaskCLIPResNetAdapter(Adapter):
    methods = ("maskclip_resnet",)

    def model_config(self):
        return dict(
            type="CLIPBackbone", model=resnet_config(self.case), pretrained=str(self.case.weights), padding="none"
        )

    def derive(self, point):
        tag = self.case.tag_of(point)
        if tag is None:
            return None
        name = point.removeprefix(f"{tag}/")
        if name == "clip_image_embedding":
            return self.features(tag, with_global=True).global_embedding
        trunk, _, name = name.partition("_")
        if trunk not in TRUNKS:
            return None
        if name == "layer4":
            return self.features(tag, capture=("layer4",), **TRUNKS[trunk]).extras["layer4"]
        if name == "out_pool":
            return PixelTextHead()(self.features(tag, attention="vanilla", **TRUNKS[trunk]), self.text)
        features = self.features(tag, attention="value", capture=("k",), **TRUNKS[trunk])
        if name == "feat":
            return features.dense
        if name == "out_v":
            return PixelTextHead()(features, self.text)
        if name == "out_ks":
            return MaskCLIPHead(ks_thresh=1.0, official_quirks=True)(features, self.text)
        return None


def resnet_config(case):
    """open_clip's config of the ModifiedResNet in a case."""
    shapes, stated = case.weight_shapes, case.meta.get("resnet", {})
    width = 2 * shapes["visual.conv1.weight"][0]
    blocks = {re.match(r"visual\.layer(\d)\.(\d+)\.", key).groups() for key in shapes if key.startswith("visual.layer")}
    depths = [sum(stage == str(index) for stage, _ in blocks) for index in range(1, 5)]
    side = math.isqrt(shapes["visual.attnpool.positional_embedding"][0] - 1)
    heads = int(stated.get("heads", width // 2))
    return dict(
        embed_dim=shapes["visual.attnpool.c_proj.weight"][0],
        vision_cfg=dict(
            image_size=32 * side, layers=depths, width=width, head_width=width * 32 // heads, patch_size=None
        ),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )
