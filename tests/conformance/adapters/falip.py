"""FALIP: the dome over a box's cells, the bias of the class token, and the image embedding under it."""

import math

import torch
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.region_prompts import foveal_bias, foveal_dome

SIDE = 224


class FALIPAdapter(Adapter):
    methods = ("falip",)

    def needs_image(self, point):
        return False

    def model_config(self):
        weights = {f"visual.{key}": value.float() for key, value in load_file(self.case.weights).items()}
        config = dict(model=clip_config(self.case), pretrained=weights, attention="vanilla", with_global=True)
        return dict(type="CLIPBackbone", padding="none", **config)

    def derive(self, point):
        kind, _, family = point.rpartition("_")
        if kind in ("gauss", "token_ranges"):
            patch = int(family[1:])
            cells = self.bias(SIDE // patch)[0] > 0
            rows, columns = (torch.nonzero(cells.any(dim)).flatten() for dim in (1, 0))
            if kind == "gauss":
                return foveal_dome((len(rows), len(columns)))
            start = rows * (SIDE // patch) + columns[0] + 1
            return torch.stack([start, start + len(columns)], dim=1)
        side = math.isqrt(len(self.case.tensors["attn_mask"]) - 1)
        if point == "attn_mask":
            mask = torch.zeros_like(self.case.tensors["attn_mask"])
            mask[0, 1:] = self.bias(side).flatten()
            return mask
        if point in ("embed_foveal", "embed_zero_mask") and self.case.weights and "image" in self.case.tensors:
            bias = self.bias(side) * (point == "embed_foveal")
            return self.backbone().biased_embeddings(self.case.tensors["image"], bias)
        return None

    def bias(self, side):
        """On a square grid; the box is in pixels of the picture whose size the meta file states."""
        width, height = (int(part) for part in str(self.case.meta["dims"]).rsplit(" ", 4)[-4].split("x"))
        scale = torch.tensor([SIDE / width, SIDE / height]).repeat(2)
        box = self.case.tensors["box"].float()[None] * scale
        return foveal_bias(box, (SIDE, SIDE), (side, side), official_quirks=True)


def clip_config(case):
    """open_clip's config of the stored weights."""
    shapes = case.weight_shapes
    width, _, patch, _ = shapes["conv1.weight"]
    layers = len({key.split(".")[2] for key in shapes if key.startswith("transformer.resblocks.")})
    heads = int(str(case.meta["dims"]).split("heads ")[1].split(",")[0])
    vision = dict(image_size=SIDE, layers=layers, width=width, patch_size=patch, head_width=width // heads)
    text = dict(context_length=8, vocab_size=16, width=8, heads=1, layers=1)
    return dict(embed_dim=shapes["proj"][1], vision_cfg=vision, text_cfg=text, quick_gelu=True)
