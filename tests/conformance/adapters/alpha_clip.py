"""Alpha-CLIP: the image embedding with a mask, and with the whole picture meant."""

import re

from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.models.backbones.alpha_channel import MEAN, STD, plain_clip_layout


class AlphaCLIPAdapter(Adapter):
    methods = ("alpha_clip",)
    inputs = "image|mask|text"

    def model_config(self):
        weights = {key: value.float() for key, value in load_file(self.case.weights).items()}
        numbers = dict(re.findall(r"(patch|width|heads|layers|out) (\d+)", str(self.case.meta["dims"])))
        numbers = {key: int(value) for key, value in numbers.items()}
        side = int(str(self.case.meta["dims"]).split(" px")[0])
        vision = dict(
            image_size=side,
            layers=numbers["layers"],
            width=numbers["width"],
            patch_size=numbers["patch"],
            head_width=numbers["width"] // numbers["heads"],
        )
        text = dict(context_length=8, vocab_size=16, width=8, heads=1, layers=1)
        model = dict(embed_dim=numbers["out"], vision_cfg=vision, text_cfg=text, quick_gelu=True)
        options = dict(pretrained=plain_clip_layout(weights), attention="vanilla", with_global=True, padding="none")
        return dict(type="CLIPBackbone", model=model, **options)

    def derive(self, point):
        image, mask = (self.case.tensors[name].float() for name in ("image", "mask"))
        if point == "alpha":
            return (mask - MEAN) / STD
        if point == "embed":
            return self.backbone()(image, masks=mask).global_embedding
        if point == "embed_full_alpha":
            return self.backbone()(image).global_embedding
        return None
