"""OVSeg: the CLIP with mask prompts, masked crops with both classifiers and their ensemble, and the Swin trunk."""

from __future__ import annotations

import math
import re
from functools import cached_property

import torch
import torch.nn.functional as F
from mmdet.models.backbones import SwinTransformer
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.mask_crops import expand_boxes, valid_masks
from ovdense.functional.proposal_scores import (
    blend_masks,
    ensemble_proposals,
    keep_best_proposals,
    proposal_probabilities,
    void_cosine_logits,
)
from ovdense.functional.region_pooling import mask_boxes
from ovdense.models.backbones import CLIPViT, load_clip
from ovdense.models.backbones.mask_prompts import shown_patches
from ovdense.models.mask_heads import RegionCLIPClassifier
from ovdense.models.mask_heads.ovseg_checkpoint import convert_swin
from ovdense.structures import ClassEmbeddings, Vocabulary


def clip_config(shapes: dict[str, tuple[int, ...]], dims: dict) -> dict:
    """open_clip's config of a CLIP in OpenAI's names, ``visual.`` in front of the image tower."""
    width, _, patch, _ = shapes["visual.conv1.weight"]
    side = math.isqrt(shapes["visual.positional_embedding"][0] - 1)
    text_width = shapes.get("ln_final.weight", (64,))[0]
    context = shapes.get("positional_embedding", (77,))[0]
    return dict(
        embed_dim=shapes["visual.proj"][1],
        quick_gelu=True,
        vision_cfg=dict(
            image_size=side * patch,
            layers=count_blocks(shapes, r"visual\.transformer"),
            width=width,
            head_width=width // int(dims.get("vision_heads", width // 64)),
            patch_size=patch,
        ),
        text_cfg=dict(
            context_length=context,
            vocab_size=shapes.get("token_embedding.weight", (49408,))[0],
            width=text_width,
            heads=int(dims.get("transformer_heads", max(1, text_width // 64))),
            layers=count_blocks(shapes, "transformer") or 1,
        ),
    )


def count_blocks(shapes: dict[str, tuple[int, ...]], prefix: str) -> int:
    return len({found.group(1) for key in shapes if (found := re.match(rf"{prefix}\.resblocks\.(\d+)\.", key))})


class OVSegAdapter(Adapter):
    """What the four cases share: every input has its own name, and the weights may lack the tower's prefix."""

    def needs_image(self, point):
        return False

    @property
    def dims(self) -> dict:
        return self.case.meta.get("dims", {})

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        state = load_file(self.case.weights)
        if "conv1.weight" in state:
            state = {f"visual.{key}": value for key, value in state.items()}
        return state

    @cached_property
    def clip(self) -> dict:
        shapes = {key: tuple(value.shape) for key, value in self.state.items()}
        return dict(model=clip_config(shapes, self.dims), pretrained=self.state)

    @cached_property
    def vit(self) -> CLIPViT:
        return CLIPViT(**self.clip, attention="vanilla", with_global=True, padding="none", position="mmseg")


class OVSegCLIPAdapter(OVSegAdapter):
    methods = ("ovseg_clip",)

    @torch.no_grad()
    def derive(self, point):
        given = self.case.tensors
        if point in ("image", "mask", "tokens"):
            return None
        if point == "patch_keep":
            return shown_patches(given["mask"], self.vit.stride)
        if point == "text_feat":
            return load_clip(**self.clip).text(given["tokens"])
        if point == "image_feat_nomask":
            return self.vit(given["image"]).global_embedding
        if point == "image_feat_masked":
            return self.masked
        if point == "logits_t100":
            self.tolerances[point] = 1e-4
            rows = F.normalize(load_clip(**self.clip).text(given["tokens"]), dim=-1)
            return 100 * F.normalize(self.masked, dim=-1) @ rows.T
        if found := re.fullmatch(r"block(\d+)_(in|out)", point):
            return self.trace(int(found.group(1)), found.group(2))
        return None

    @cached_property
    def masked(self):
        return self.vit(self.case.tensors["image"], masks=self.case.tensors["mask"]).global_embedding

    def trace(self, index, side):
        """(N,1+L,D) that enters or leaves a block while the tower runs with masks."""
        block, seen = self.vit.blocks()[index], {}
        handles = [
            block.ln_1.register_forward_pre_hook(lambda module, args: seen.update(entered=args[0])),
            block.ln_2.register_forward_pre_hook(lambda module, args: seen.update(middle=args[0])),
            block.ls_2.register_forward_hook(lambda module, args, output: seen.update(added=output)),
        ]
        self.vit(self.case.tensors["image"], masks=self.case.tensors["mask"])
        for handle in handles:
            handle.remove()
        return seen["entered"] if side == "in" else seen["middle"] + seen["added"]


class OVSegRegionAdapter(OVSegAdapter):
    methods = ("ovseg_region",)

    @property
    def settings(self) -> dict:
        return self.case.meta.get("adapter", {})

    @property
    def image(self):
        return self.case.tensors["image"]

    @cached_property
    def soft_masks(self):
        return self.case.tensors["mask_logits"].sigmoid()

    @cached_property
    def masks(self):
        return self.soft_masks > self.settings.get("mask_thr", 0.4)

    def classifier(self, mask_prompts=True) -> RegionCLIPClassifier:
        return self._once(
            dict(
                type="RegionCLIPClassifier",
                backbone=dict(type="CLIPViT", attention="vanilla", padding="none", position="mmseg", **self.clip),
                size=self.case.tensors["regions"].shape[-1] if "regions" in self.case.tensors else None,
                fill=self.settings.get("mask_fill", "mean"),
                expand=self.settings.get("mask_expand_ratio", 1.0),
                mask_prompts=mask_prompts,
                chunk=2,
            )
        )

    def crops(self):
        chunks = list(self.classifier().crops(self.image, self.masks[valid_masks(self.masks)]))
        return tuple(torch.cat(parts) for parts in zip(*chunks))

    @cached_property
    def rows(self):
        return self.case.tensors["text_features"][:-1]

    @property
    def void(self):
        return self.case.tensors["non_object_embedding"]

    def region_probabilities(self):
        embeddings, _ = self.classifier()(self.image, self.masks)
        names = tuple(f"class {index}" for index in range(len(self.rows)))
        classes = ClassEmbeddings(
            self.rows, torch.arange(len(names)), Vocabulary(names, tuple((name,) for name in names)), space=""
        )
        return self.classifier().logits(embeddings, classes).softmax(-1)

    def proposals(self):
        return proposal_probabilities(void_cosine_logits(self.case.tensors["prop_embedding"], self.rows, self.void))

    @torch.no_grad()
    def derive(self, point):
        valid = valid_masks(self.masks)
        if point == "valid":
            return valid
        if point == "boxes":
            boxes = mask_boxes(self.masks[valid])
            return expand_boxes(boxes, self.settings.get("mask_expand_ratio", 1.0), tuple(self.image.shape[-2:]))
        if point == "regions":
            return self.crops()[0]
        if point == "region_masks":
            return self.crops()[1]
        if point in ("clip_logits", "clip_logits_no_maskprompt"):
            self.tolerances[point] = 1e-4
            embeddings, _ = self.classifier(mask_prompts=point == "clip_logits")(self.image, self.masks)
            return void_cosine_logits(embeddings, self.rows, self.void)
        if point == "prop_logits":
            self.tolerances[point] = 1e-4
            return void_cosine_logits(self.case.tensors["prop_embedding"], self.rows, self.void)
        if point == "semseg_noensemble":
            return blend_masks(self.proposals(), self.soft_masks)
        if found := re.fullmatch(r"semseg_(demo_)?w([\d.]+)", point):
            scores, kept = ensemble_proposals(
                self.proposals(), self.region_probabilities(), valid, float(found.group(2))
            )
            if found.group(1):
                return blend_masks(keep_best_proposals(scores), self.masks[kept].float())
            return blend_masks(scores, self.soft_masks[kept])
        return None


class OVSegSwinAdapter(OVSegAdapter):
    methods = ("ovseg_swin",)

    @cached_property
    def stages(self):
        dims = self.dims
        trunk = SwinTransformer(
            embed_dims=dims["embed"], depths=dims["depths"], num_heads=dims["heads"], window_size=dims["window"],
            patch_size=dims.get("patch", 4), strides=(dims.get("patch", 4), 2, 2, 2), out_indices=(0, 1, 2, 3),
        )  # fmt: skip
        trunk.load_state_dict(convert_swin(load_file(self.case.weights)))
        trunk.eval()
        with torch.no_grad():
            return trunk(self.case.tensors["image"])

    def derive(self, point):
        found = re.fullmatch(r"res([2-5])", point)
        return self.stages[int(found.group(1)) - 2] if found else None
