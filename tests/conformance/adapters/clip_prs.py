"""Text-based decomposition: direct effects of heads and MLPs, the embedding, and the heat of classes."""

import re

from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.decomposition import phrase_heat


class DecompositionAdapter(Adapter):
    methods = ("clip_prs",)
    inputs = "img|classifier|text"

    def model_config(self):
        state = {key: value.float() for key, value in load_file(self.case.weights).items()}
        if not any(key.startswith("visual.") for key in state):
            state = {f"visual.{key}": value for key, value in state.items()}
        dims = str(self.case.meta["dims"])
        numbers = {k: int(v) for k, v in re.findall(r"(patch|width|heads|layers|out) (\d+)", dims)}
        vision = dict(
            image_size=int(re.search(r"(\d+) px", dims)[1]),
            patch_size=numbers["patch"],
            width=numbers["width"],
            layers=numbers["layers"],
            head_width=numbers["width"] // numbers["heads"],
            mlp_ratio=state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / numbers["width"],
        )
        text = dict(context_length=8, vocab_size=16, width=8, heads=1, layers=1)
        model = dict(embed_dim=numbers["out"], vision_cfg=vision, text_cfg=text)
        return dict(type="DecomposedCLIP", model=model, pretrained=state, padding="none")

    def derive(self, point):
        if self.case.weights is None:
            return None
        effects = self.backbone().decompose(self.case.tensors["img"])
        if point == "representation":
            return effects.embedding
        if point in ("attentions", "mlps"):
            return effects.heads if point == "attentions" else effects.mlps
        if point == "heatmap":
            side = int((effects.heads.shape[2] - 1) ** 0.5)
            heat = phrase_heat(effects.heads, self.case.tensors["classifier"].T, (side, side))
            return heat.flatten(2).transpose(1, 2)
        return None
