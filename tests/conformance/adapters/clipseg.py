"""CLIPSeg: activations, prompts, every step of the decoder, and the engineered pictures of objects."""

from __future__ import annotations

import re
from functools import cached_property

import torch
from safetensors.torch import load_file

from adapters.base import Adapter, vit_config
from ovdense.functional.visual_prompts import engineer_prompt
from ovdense.models.backbones.class_token_mask import masked_embeddings
from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.clipseg_checkpoint import convert_clipseg
from ovdense.registry import MODELS

PROMPTS = dict(
    crop_blur_highlight=dict(size=True),
    blur3_highlight01=dict(context=None),
    crop=dict(size=True, blur=1, background=1),
)


class CLIPSegAdapter(Adapter):
    methods = ("clipseg", "clipseg_rd64", "clipseg_rd64_refined", "clipseg_visual_prompt")
    inputs = r"img|cond|tokens|support_img|support_seg|image|normalised|mask"

    def needs_image(self, point):
        return False

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        return {name: value.float() for name, value in load_file(self.case.weights).items()}

    @cached_property
    def clip(self) -> dict[str, torch.Tensor]:
        return self.converted.clip

    @cached_property
    def decoder(self) -> torch.nn.Module:
        """A module with the head under its name, of the weights' sizes."""
        state = self.state
        width, channels = state["reduces.0.weight"].shape
        head = dict(
            type="CLIPSegHead",
            text_dim=state["film_mul.weight"].shape[1],
            map_channels=channels,
            num_stages=len(self.layers),
            width=width,
            heads=4,
            feedforward=len(state["blocks.0.linear1.weight"]),
            patch_size=state["clip_model.visual.conv1.weight"].shape[-1],
            refined="trans_conv.0.weight" in state,
        )
        model = torch.nn.Module()
        model.decode_head = MODELS.build(head)
        return model

    @cached_property
    def converted(self):
        return convert_clipseg(self.state, self.decoder)

    @cached_property
    def model_options(self) -> dict:
        """open_clip's config of the towers; heads from the meta file."""
        stated = self.case.meta.get("dims", {})
        heads = int(re.search(r"heads (\d+)", str(stated.get("vision", "heads 4")))[1])

        class Sizes:
            weight_shapes = {name: tuple(value.shape) for name, value in self.clip.items()}
            meta = dict(vit=dict(heads=heads))

        config = vit_config(Sizes)
        vocabulary, width = self.clip["token_embedding.weight"].shape
        context = len(self.clip["positional_embedding"])
        layers = {name.split(".")[2] for name in self.clip if name.startswith("transformer.resblocks.")}
        text_heads = int(re.search(r"heads (\d+)", str(stated.get("text", "heads 2")))[1])
        text = dict(vocab_size=vocabulary, context_length=context, width=width, heads=text_heads, layers=len(layers))
        return {**config, "text_cfg": text}

    def model_config(self) -> dict:
        return dict(
            type="CLIPBackbone",
            model=self.model_options,
            pretrained={name: value for name, value in self.clip.items() if name != "logit_scale"},
            attention="vanilla",
            position="mmseg",
            padding="none",
            with_global=True,
            capture=("stages",),
        )

    @cached_property
    def layers(self) -> list[int]:
        return list(self.case.meta.get("dims", {}).get("extract_layers", (1, 2, 3)))

    @cached_property
    def head(self) -> torch.nn.Module:
        self.decoder.load_state_dict(self.converted.state)
        return self.decoder.eval().decode_head

    def features_of(self, images: torch.Tensor, layers=None):
        return self.backbone(out_indices=tuple(layers or self.layers))(images)

    @torch.no_grad()
    def derive(self, point):
        tensors = self.case.tensors
        if point in PROMPTS:
            options = dict(PROMPTS[point])
            if options.get("size"):
                options["size"] = tensors[point].shape[-1]
            return engineer_prompt(tensors["normalised"], tensors["mask"], official_quirks=True, **options)
        if point.startswith("cond_") or point in ("visual_q", "text_embed"):
            return self.condition(point)
        if layer := re.fullmatch(r"act_layer(\d+)", point):
            features = self.features_of(tensors["img"], (int(layer[1]),))
            return features.extras["stages"][:, 0].transpose(0, 1)
        conditions = {
            "logits_image_prompt": "cond_from_image",
            "logits_masked_prompt": "cond_masked_cls",
            "logits_masked_prompt_b1": "cond_masked_cls_b1",
            "logits_text": "text_embed",
        }
        if point in conditions:
            return self.head.decode(self.features_of(tensors["img"]), self.condition(conditions[point])[:, None])
        image = re.fullmatch(r"logits(_\w+)?", point)
        name = f"img{image[1] or ''}" if image else "img"
        if name not in tensors:
            return None
        features, prompts = self.features_of(tensors[name]), tensors["cond"][:, None]
        if image:
            return self.head.decode(features, prompts)
        if step := re.fullmatch(r"dec_(in|out)(\d)", point):
            steps = list(self.head.steps(features, prompts))
            return steps[2 * int(step[2]) + (step[1] == "out")].transpose(0, 1)
        return None

    def condition(self, point: str):
        tensors = self.case.tensors
        if point == "text_embed":
            return load_clip(self.model_options, self.clip).text(tensors["tokens"].long())
        if point in ("visual_q", "cond_from_image"):
            return self.features_of(tensors["img" if point == "visual_q" else "support_img"]).global_embedding
        if point.startswith("cond_masked_cls"):
            quirks = not point.endswith("_b1")
            given = tensors["support_img"], tensors["support_seg"].float()
            return masked_embeddings(self.backbone(out_indices=tuple(self.layers)), *given, official_quirks=quirks)
        return None
