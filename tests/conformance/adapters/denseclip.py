"""DenseCLIP: maps, names in context, score maps and the losses on them, of ResNets and ViTs."""

from __future__ import annotations

import math
import re
from functools import cached_property

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from adapters.base import Adapter
from ovdense.models.context_prompting import ContextPrompts
from ovdense.models.denseclip_checkpoint import convert_denseclip
from ovdense.models.segmentors.denseclip_segmentor import PatchPyramid, global_and_dense, score_loss
from ovdense.registry import MODELS


class DenseCLIPAdapter(Adapter):
    methods = ("denseclip", "denseclip_rn_seg", "denseclip_vit_seg", "denseclip_rn_det")
    inputs = r"img|texts|gt|gt_bboxes.*|gt_labels.*|official_tokens_ctx5|boxes.*|labels.*"

    def needs_image(self, point):
        return False

    @cached_property
    def state(self) -> dict[str, Tensor]:
        return {name: value for name, value in load_file(self.case.weights).items()}

    @property
    def is_vit(self) -> bool:
        return "backbone.class_embedding" in self.state

    @property
    def is_detector(self) -> bool:
        return "det" in self.case.name or "det" in str(self.case.meta.get("code", ""))

    def number(self, pattern: str, default: int) -> int:
        found = re.search(pattern, str(self.case.meta.get("dims", "")))
        return int(found[1]) if found else default

    def clip_config(self) -> dict:
        state = self.state
        tower = "text_encoder."
        text = dict(
            context_length=77,
            vocab_size=len(state[f"{tower}token_embedding.weight"]),
            width=state[f"{tower}ln_final.weight"].shape[0],
            heads=self.number(r"'text':.*?heads (\d+)", 2),
            layers=len({name.split(".")[3] for name in state if name.startswith(f"{tower}transformer.resblocks.")}),
        )
        if self.is_vit:
            width, _, patch, _ = state["backbone.conv1.weight"].shape
            side = math.isqrt(len(state["backbone.positional_embedding"]) - 1)
            count = len({n.split(".")[3] for n in state if n.startswith("backbone.transformer.resblocks.")})
            heads = self.number(r"width \d+ layers \d+ heads (\d+)", 2)
            if "layers 4 heads 2" in str(self.case.meta.get("dims")):
                heads = 2
            vision = dict(
                image_size=side * patch, layers=count, width=width, head_width=width // heads, patch_size=patch
            )
            embed = state["backbone.proj"].shape[1]
        else:
            width = state["backbone.conv3.weight"].shape[0]
            side = math.isqrt(len(state["backbone.attnpool.positional_embedding"]) - 1)
            layers = [
                len({n.split(".")[2] for n in state if n.startswith(f"backbone.layer{i}.")}) for i in (1, 2, 3, 4)
            ]
            vision = dict(image_size=side * 32, layers=layers, width=width, head_width=width, patch_size=None)
            embed = state["backbone.attnpool.c_proj.weight"].shape[0]
        return dict(embed_dim=embed, quick_gelu=True, vision_cfg=vision, text_cfg=text)

    @cached_property
    def model(self) -> nn.Module:
        clip, state, texts = self.clip_config(), self.state, self.case.tensors["texts"]
        options = dict(model=clip, attention="vanilla", capture=("dense_cls",), padding="none", position="bilinear")
        if self.is_vit:
            count = clip["vision_cfg"]["layers"]
            options |= dict(class_twice=True, out_indices=tuple(range(count))[-4:])
        elif self.is_detector:
            options |= dict(position="crop")
        model = nn.Module()
        model.backbone = MODELS.build(dict(type="CLIPBackbone", **options))
        words = state["contexts"].shape[1]
        width = state["context_decoder.text_proj.1.weight"].shape[0]
        layers = len({name.split(".")[2] for name in state if name.startswith("context_decoder.decoder.")})
        text = dict(model=clip, classes=texts, num_words=words, name_length=texts.shape[1])
        model.prompts = ContextPrompts(text=text, decoder=dict(width=width, heads=4, layers=layers))
        if self.is_vit:
            model.pyramid = PatchPyramid(channels=clip["vision_cfg"]["width"])
        model.load_state_dict(convert_denseclip(state, model).state)
        return model.eval()

    @cached_property
    def features(self):
        return self.model.backbone(self.case.tensors["img"])

    @cached_property
    def pair(self) -> tuple[Tensor, Tensor]:
        return global_and_dense(self.features, None)

    @torch.no_grad()
    def derive(self, point):
        model, tensors = self.model, self.case.tensors
        if layer := re.fullmatch(r"layer([1-4])", point):
            return self.features.maps[int(layer[1]) - 1]
        if layer := re.fullmatch(r"fpn([1-4])", point):
            return model.pyramid(self.features.maps)[int(layer[1]) - 1]
        scores = model.prompts.score_map(*self.pair) / (0.07 if self.is_detector else 1.0)
        last = model.pyramid(self.features.maps)[2] if self.is_vit else self.features.maps[3]
        if point in ("layer4_with_score", "fpn3_with_score"):
            return torch.cat([last, scores], 1)
        if point == "text_embeddings_raw":
            return model.prompts.text()[None]
        if point == "visual_context":
            return torch.cat([self.pair[0][:, None], self.pair[1].flatten(2).transpose(1, 2)], 1)
        if point == "text_diff":
            rows = model.prompts.text().expand(len(tensors["img"]), -1, -1)
            return model.prompts.context_decoder(rows, self.derive("visual_context"))
        if point == "identity_loss":
            return 0.4 * score_loss(scores, tensors["gt"].long())
        simple = dict(global_feat=0, visual_embeddings=1)
        if point in simple:
            return self.pair[simple[point]]
        if point == "text_embeddings":
            return model.prompts(*self.pair)
        if point in ("score_map", "score_map3"):
            return scores
        if point == "score_map0":
            return F.interpolate(scores, size=self.features.maps[0].shape[-2:], mode="bilinear")
        return None
