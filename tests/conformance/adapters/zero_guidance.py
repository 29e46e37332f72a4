"""Zero-guidance segmentation: masked attention with global subtraction, and segment embeddings."""

import re

from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.attention import HeadTokens
from ovdense.functional.attention_override import AttentionOverride, attention_weights
from ovdense.functional.masked_embedding import global_subtraction, segment_override

FIRST = 20  # layers from here on attend within the segment


class ZeroGuidanceAdapter(Adapter):
    methods = ("zero_guidance",)
    inputs = "image|mask[01]|attn_[qkv]|attn_mask|text"

    def model_config(self):
        state = {key: value.float() for key, value in load_file(self.case.weights).items()}
        if not any(key.startswith("visual.") for key in state):
            state = {f"visual.{key}": value for key, value in state.items()}
        dims = str(self.case.meta["dims"])
        numbers = {k: int(v) for k, v in re.findall(r"(patch|width|heads|out) (\d+)", dims)}
        vision = dict(
            image_size=int(re.search(r"(\d+) px", dims)[1]),
            patch_size=numbers["patch"],
            width=numbers["width"],
            layers=int(re.search(r"(\d+) layers", dims)[1]),
            head_width=numbers["width"] // numbers["heads"],
            mlp_ratio=state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0] / numbers["width"],
        )
        text = dict(context_length=8, vocab_size=16, width=8, heads=1, layers=1)
        model = dict(embed_dim=numbers["out"], vision_cfg=vision, text_cfg=text, quick_gelu=True)
        options = dict(attention="vanilla", with_global=True, padding="none")
        return dict(type="CLIPBackbone", model=model, pretrained=state, **options)

    def derive(self, point):
        if point.startswith("attn_"):
            return self.attention(point)
        if self.case.weights is None:
            return None
        image = self.case.tensors["image"]
        if point == "embed_global":
            return self.backbone()(image).global_embedding
        found = re.fullmatch(r"embed_(mask\d)_(sd5|nosub)", point)
        if not found:
            return None
        override = segment_override(self.case.tensors[found[1]][None], spread=5.0 if found[2] == "sd5" else None)
        return self.backbone().region_embeddings(image, override, 1, FIRST)

    def attention(self, point):
        q, k, v = (self.case.tensors[f"attn_{name}"][None] for name in "qkv")
        tokens = HeadTokens(q=q, k=k, v=v, grid=(3, 3), scale=q.shape[-1] ** -0.5)
        seen = {}

        def rule(weights, plain):
            seen["cosine"] = (weights * plain).sum(-1) / (weights.norm(dim=-1) * plain.norm(dim=-1))
            return global_subtraction(weights, plain)

        weights = attention_weights(
            tokens, AttentionOverride(mask=self.case.tensors["attn_mask"][None, None], rule=rule)
        )
        if point == "attn_cossim":
            return seen["cosine"].mean()
        return weights[0] if point == "attn_weights" else (weights @ v)[0]
