"""OVSeg: the CLIP with mask prompts, masked crops with both classifiers and their ensemble, and the Swin trunk."""

from __future__ import annotations

import math
import re
from functools import cached_property

import torch
import torch.nn.functional as F
from comparison import SCALED_LOGIT_ATOL
from mmdet.models.backbones import SwinTransformer
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.mask_classification import class_logits
from ovdense.functional.mask_crops import expand_boxes, valid_masks
from ovdense.functional.mask_postprocess import semantic_scores
from ovdense.functional.proposal_scores import binary_semantic_scores, keep_best_proposals
from ovdense.functional.region_pooling import mask_boxes
from ovdense.models.backbones import CLIPViT, load_clip
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.backbones.mask_prompts import shown_patches
from ovdense.models.mask_checkpoints import rename
from ovdense.models.mask_heads import OVSegEnsemble, OVSegHead, RegionCLIPClassifier
from ovdense.models.ovseg_checkpoint import OVSEG_HEAD_RULES, convert_swin


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
    inputs = "image|mask|tokens"

    @torch.no_grad()
    def derive(self, point):
        given = self.case.tensors
        if point == "patch_keep":
            return shown_patches(given["mask"], self.vit.stride)
        if point == "text_feat":
            return load_clip(**self.clip).text(given["tokens"])
        if point == "image_feat_nomask":
            return self.vit(given["image"]).global_embedding
        if point == "image_feat_masked":
            return self.masked
        if point == "logits_t100":
            self.tolerances[point] = SCALED_LOGIT_ATOL
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
    inputs = "image|mask_logits|text_features|non_object_embedding|prop_embedding"

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

    def logits(self, embeddings):
        """(N,K+1) scaled cosines, void last."""
        rows = self.case.tensors["text_features"][:-1]
        void = self.case.tensors["non_object_embedding"]
        return class_logits(embeddings[None], rows, torch.arange(len(rows)), len(rows), void=void)[0]

    def region_logits(self, mask_prompts=True):
        return self.logits(self.classifier(mask_prompts)(self.image, self.masks)[0])

    def proposal_logits(self):
        return self.logits(self.case.tensors["prop_embedding"])

    def scores(self, weight, valid):
        """(Q,K) of the ensemble."""
        regions = self.region_logits()
        full = regions.new_zeros((len(valid), regions.shape[1] - 1))
        full[valid] = regions[:, :-1]
        usable, seen = valid[None], torch.ones(full.shape[1], dtype=torch.bool)
        return OVSegEnsemble(weight=weight)(self.proposal_logits()[None], full[None], seen, usable)[0, :, :-1]

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
        if point in ("clip_logits", "clip_logits_no_maskprompt", "prop_logits"):
            self.tolerances[point] = SCALED_LOGIT_ATOL
            return self.proposal_logits() if point == "prop_logits" else self.region_logits(point == "clip_logits")
        if point == "semseg_noensemble":
            return semantic_scores(self.proposal_logits().softmax(-1)[:, :-1], self.case.tensors["mask_logits"])
        if found := re.fullmatch(r"semseg_(demo_)?w([\d.]+)", point):
            scores = self.scores(float(found.group(2)), valid)
            if found.group(1):
                masks, threshold = self.case.tensors["mask_logits"], self.settings.get("mask_thr", 0.4)
                return binary_semantic_scores(keep_best_proposals(scores), masks, threshold)
            return semantic_scores(scores, self.case.tensors["mask_logits"])
        return None


class OVSegSwinAdapter(OVSegAdapter):
    methods = ("ovseg_swin",)
    inputs = "image"

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


def maskformer_config(shapes: dict[str, tuple[int, ...]], dims: dict) -> dict:
    """Arguments of ``OVSegHead`` from official shapes relative to ``sem_seg_head.``."""
    hidden = shapes["predictor.query_embed.weight"][1]
    width = shapes["pixel_decoder.layer_1.weight"][0]
    mask_width = shapes["pixel_decoder.mask_features.weight"][0]
    layers = len({key.split(".")[4] for key in shapes if key.startswith("predictor.transformer.decoder.layers.")})
    attention = dict(embed_dims=hidden, num_heads=dims.get("nheads", 8), dropout=0.0, batch_first=True)
    inner = shapes["predictor.transformer.decoder.layers.0.linear1.weight"][0]
    return dict(
        embed_dim=shapes["predictor.class_embed.layers.1.weight"][0],
        hidden_channels=shapes["predictor.class_embed.layers.0.weight"][0],
        in_channels=[
            *(shapes[f"pixel_decoder.adapter_{level}.weight"][1] for level in (1, 2, 3)),
            shapes["pixel_decoder.layer_4.weight"][1],
        ],
        feat_channels=width,
        out_channels=mask_width,
        num_queries=shapes["predictor.query_embed.weight"][0],
        enforce_decoder_input_project="predictor.input_proj.weight" in shapes,
        pixel_decoder=dict(
            type="mmdet.PixelDecoder", norm_cfg=dict(type="GN", num_groups=32), act_cfg=dict(type="ReLU")
        ),
        positional_encoding=dict(num_feats=hidden // 2, normalize=True),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=layers,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(
                    embed_dims=hidden,
                    feedforward_channels=inner,
                    num_fcs=2,
                    ffn_drop=0.0,
                    act_cfg=dict(type="ReLU", inplace=True),
                ),
            ),
        ),
        loss_cls=dict(type="mmdet.CrossEntropyLoss", loss_weight=1.0),
        loss_mask=dict(type="mmdet.FocalLoss", use_sigmoid=True, loss_weight=20.0),
        loss_dice=dict(type="mmdet.DiceLoss", use_sigmoid=True, activate=True, naive_dice=True, loss_weight=1.0),
    )


class OVSegMaskFormerAdapter(OVSegAdapter):
    """Weights relative to ``sem_seg_head``; the stored logits are the embeddings before they meet the text."""

    methods = ("ovseg_maskformer",)
    inputs = r"res\d"

    @cached_property
    def head(self) -> OVSegHead:
        init_default_scope("ovdense")
        head = OVSegHead(**maskformer_config(self.case.weight_shapes, self.dims))
        tensors = {f"sem_seg_head.{key}": value for key, value in load_file(self.case.weights).items()}
        state = {key.removeprefix("mask_head."): value for key, value in rename(tensors, OVSEG_HEAD_RULES)[0].items()}
        load_strictly(head, state | {"void_embedding.weight": head.void_embedding.weight.detach()}, self.case.name)
        return head.eval()

    @torch.no_grad()
    def derive(self, point):
        maps = [self.case.tensors[f"res{stage}"] for stage in (2, 3, 4, 5)]
        if point == "mask_features":
            return self.head.pixel_decoder(maps, [])[0]
        found = re.fullmatch(r"(?:aux(\d+)_)?pred_(logits|masks)", point)
        if found is None:
            return None
        size = tuple(4 * side for side in maps[0].shape[-2:])
        samples = [DetDataSample(metainfo=dict(img_shape=size, batch_input_shape=size)) for _ in maps[0]]
        layers = self.head.embeddings_and_masks(maps, samples)[found.group(2) == "masks"]
        return layers[-1 if found.group(1) is None else int(found.group(1))]
