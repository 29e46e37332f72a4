"""ExCEL: the surgery ViT, enriched text rows and class maps, with and without learnt links."""

import re

import torch
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.attribute_text import enrich_rows, normalise_tokens, surgery_maps


class ExCELAdapter(Adapter):
    methods = ("excel",)
    inputs = "img|text|attr_bank|attr_flag|ex_feats"

    def model_config(self):
        state = {f"visual.{key}": value.float() for key, value in load_file(self.case.weights).items()}
        dims = str(self.case.meta["dims"])
        numbers = {k: int(v) for k, v in re.findall(r"(patch|width|heads|out) (\d+)", dims)}
        vision = dict(
            image_size=int(re.search(r"ViT (\d+)", dims)[1]),
            patch_size=numbers["patch"],
            width=numbers["width"],
            layers=int(re.search(r"(\d+) layers", dims)[1]),
            head_width=numbers["width"] // numbers["heads"],
        )
        text = dict(context_length=8, vocab_size=16, width=8, heads=1, layers=1)
        model = dict(embed_dim=numbers["out"], vision_cfg=vision, text_cfg=text, quick_gelu=True)
        options = dict(depth=5, official_quirks=True, padding="none")
        return dict(type="SurgeryCLIP", model=model, pretrained=state, **options)

    def derive(self, point):
        if point == "text_attr":
            return self.rows().T
        if self.case.weights is None:
            return None
        learnt = self.case.tensors["ex_feats"] if point.endswith("_ex") else None
        found = self.backbone().surgery(self.case.tensors["img"], learnt)
        if point in ("tokens", "tokens_ex"):
            return found.tokens
        if point in ("attn", "all_feats"):
            return (found.attention if point == "attn" else found.hidden).transpose(0, 1)
        tokens = normalise_tokens(found.tokens, official_quirks=True)
        if point == "tokens_norm":
            return tokens
        if point in ("similarity_maps", "similarity_maps_ex"):
            return surgery_maps(tokens, self.rows())[:, 1:, : self.case.tensors[point].shape[-1]]
        return None

    def rows(self):
        text, bank = self.case.tensors["text"], self.case.tensors["attr_bank"].T
        classes = self.case.tensors["attr_flag"].shape[0]
        background = text[classes:] / text[classes:].norm(dim=1, keepdim=True)
        return torch.cat([enrich_rows(text[:classes], bank), background])
