"""CAT-Seg: the CLIP's dense features, and the aggregation of the cost volume with all its steps.

Sizes come from the weights; heads, pooling, window and number of tokens from the meta file.
"""

from __future__ import annotations

import re
import tempfile
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from comparison import SCALED_LOGIT_ATOL
from safetensors.torch import load_file, save_file

from adapters.base import Adapter, with_class_token
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.cat_seg_checkpoint import AGGREGATOR_RULES, OURS, join_projections
from ovdense.models.decode_heads.cost_aggregation import CostAggregator, fill_dropped
from ovdense.models.mask_checkpoints import rename


class CATSegDenseAdapter(Adapter):
    """Weights of the image tower with projections apart, images in."""

    methods = ("catseg_clip_dense",)
    inputs = r"image\d*"

    @cached_property
    def file(self) -> Path:
        tensors = join_projections(load_file(self.case.weights))
        path = Path(tempfile.mkdtemp(prefix="official-catseg-")) / "weights.safetensors"
        save_file({f"visual.{name}": tensor.contiguous() for name, tensor in tensors.items()}, path)
        return path

    def model_config(self) -> dict:
        shapes = self.case.weight_shapes
        stated = self.case.meta.get("dims", {})
        width, _, patch, _ = shapes["conv1.weight"]
        side = int((shapes["positional_embedding"][0] - 1) ** 0.5)
        layers = 1 + max(int(m[1]) for name in shapes if (m := re.match(r"transformer\.resblocks\.(\d+)\.", name)))
        model = dict(
            embed_dim=shapes["proj"][1],
            quick_gelu=True,
            vision_cfg=dict(
                image_size=side * patch,
                layers=layers,
                width=width,
                head_width=width // stated.get("heads", max(1, width // 64)),
                patch_size=patch,
                mlp_ratio=shapes["transformer.resblocks.0.mlp.c_fc.weight"][0] / width,
            ),
            text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
        )
        return dict(
            type="CLIPBackbone",
            model=model,
            pretrained=str(self.file),
            attention="value+cls",
            padding="none",
            position="mmseg",
        )

    def needs_image(self, point: str) -> bool:
        return False

    def derive(self, point):
        tag = re.search(r"\d*$", point)[0] if point.startswith("dense") else ""
        image = self.case.tensors[f"image{tag}"]
        if point.startswith("dense"):
            return with_class_token(self.backbone(capture=("dense_cls",))(image))
        if point == "global":
            return self.backbone(with_global=True)(image).global_embedding
        block = re.fullmatch(r"block(\d+)_out", point)
        if block:
            backbone = self.backbone()
            x, _, _ = backbone.embed(image)
            for index in range(int(block[1]) + 1):
                x = backbone.parts(backbone.blocks()[index]).forward(x)
            return x
        return None


class CATSegAggregatorAdapter(Adapter):
    """Weights of the aggregation; image features, guidance and text rows in."""

    methods = ("catseg_aggregator", "catseg")
    inputs = r"img_feats|guid_res\d|.*text_feats"

    def needs_image(self, point: str) -> bool:
        return False

    @cached_property
    def model(self) -> CostAggregator:
        tensors = {f"sem_seg_head.predictor.transformer.{k}": v for k, v in load_file(self.case.weights).items()}
        state = {name.removeprefix(OURS): value for name, value in rename(tensors, AGGREGATOR_RULES)[0].items()}
        stated = self.case.meta.get("dims", {})
        pooling = stated.get("pooling_size", [2, 2])[0]
        width, prompts = state["cost_embed.weight"].shape[:2]
        model = CostAggregator(
            text_dim=state["text_guidance.weight"].shape[1],
            width=width,
            num_layers=1 + max(int(name.split(".")[1]) for name in state if name.startswith("layers.")),
            heads=stated.get("nheads", 4),
            window=stated.get("window_size", 12),
            pooling=pooling,
            test_pooling=pooling,
            pad_len=stated.get("pad_len", 256),
            text_guidance=state["text_guidance.weight"].shape[0],
            image_guidance=state["image_guidance.weight"].shape[0],
            decoder_dims=[state[f"decoder.{i}.convs.0.weight"].shape[0] for i in (0, 1)],
            decoder_guidance=[state[f"decoder_guidance.{i}.weight"].shape[1] for i in (0, 1)],
            decoder_guidance_proj=[state[f"decoder_guidance.{i}.weight"].shape[0] for i in (0, 1)],
            prompts=prompts,
        )
        load_strictly(model, state, self.case.name)
        return model.eval()

    @torch.no_grad()
    def derive(self, point):
        prefix, _, name = point.rpartition(".")
        prefix = f"{prefix}." if prefix else ""
        tensors, model = self.case.tensors, self.model
        dense, text = tensors["img_feats"], tensors[f"{prefix}text_feats"]
        guidance = [tensors["guid_res4"], tensors["guid_res5"]]
        if name == "logits":
            self.tolerances[point] = SCALED_LOGIT_ATOL
            parts = [model(dense[i : i + 1], text[i], [g[i : i + 1] for g in guidance]) for i in range(len(dense))]
            return torch.cat([fill_dropped(logits, kept, text.shape[1]) for logits, kept in parts])
        kept = [model.keep(dense[i : i + 1], text[i]) for i in range(len(dense))]
        if kept[0] is not None:
            text = torch.stack([F.normalize(rows, dim=-1)[which[0]] for rows, which in zip(text, self.order(prefix))])
        cost = model.cost_volume(dense, text)
        if name == "corr_in":
            return cost.flatten(0, 1)
        x = model.embed(cost)
        if name == "corr_embed":
            return x.flatten(0, 1).permute(0, 3, 1, 2)
        image, rows = model.project_guidance(dense, text)
        wanted = re.fullmatch(r"layer(\d+)_(spatial|class)", name)
        if not wanted:
            return None
        for index, layer in enumerate(model.layers):
            spatial = layer.aggregate_space(x, image)
            x = layer.classes(spatial, rows, model.test_pooling)
            if index == int(wanted[1]):
                return (spatial if wanted[2] == "spatial" else x).permute(0, 4, 1, 2, 3)
        return None

    def order(self, prefix: str) -> list[torch.Tensor]:
        """(1,T') kept phrases of each image in the order in which the case stores them; it is free in the original."""
        tensors, model = self.case.tensors, self.model
        dense, text = tensors["img_feats"], tensors[f"{prefix}text_feats"]
        kept = [model.keep(dense[i : i + 1], text[i]) for i in range(len(dense))]
        if f"{prefix}corr_in" not in tensors:
            return kept
        stored = tensors[f"{prefix}corr_in"].unflatten(0, (len(dense), -1))
        found = []
        for index, which in enumerate(kept):
            own = model.cost_volume(dense[index : index + 1], text[index][which[0]])[0]
            distance = (stored[index][:, None] - own[None]).abs().flatten(2).amax(-1)
            found.append(which[:, distance.argmin(1)])
        return found
