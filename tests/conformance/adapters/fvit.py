"""F-ViT: the pyramid on a frozen EVA, the box heads on OV-COCO and in transfer, and the fused scores."""

from __future__ import annotations

import re
from functools import cached_property

import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from adapters.base import Adapter
from adapters.parts import clip_config, split_weights
from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.detector_checkpoints import fvit_bbox_head
from ovdense.models.detectors.vit_pyramid import ViTPyramid
from ovdense.models.roi_heads.vlm_fusion_head import VLMFusionRoIHead
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary


class FViTAdapter(Adapter):
    methods = ("fvit",)

    def needs_image(self, point):
        return False

    @torch.no_grad()
    def derive(self, point):
        part, _, name = point.partition(".")
        if part == "bb":
            return self.backbone_output(name)
        if part not in ("coco", "transfer"):
            return None
        head = self.head(part)
        for_class, for_box = head.bbox_head.branches(self.case.tensors["roi_feats"])
        logits = head.bbox_head.classifier(for_class)
        vlm = head.vlm_scores(self.case.tensors["vlm_roi_feats"])
        known = {
            "bbox_pred": lambda: head.bbox_head.fc_reg(for_box),
            "det_logits_no_vlm": lambda: logits,
            "det_softmax": lambda: logits.softmax(1),
            "vlm_softmax": lambda: vlm,
            "scores": lambda: head.fuse_vlm(logits.softmax(1), vlm),
            "base_idx": lambda: self.base_columns(head),
        }
        return known[name]() if name in known else None

    @cached_property
    def weights(self):
        return {name: read_state_dict(path) for name, path in self.files.items()}

    @property
    def files(self):
        return split_weights(self.case.weights, "bb", "coco", "transfer")

    def backbone_output(self, name):
        model = clip_config(self.case, self.files["bb"])
        layers = 1 + max(int(n) for k in self.weights["bb"] if (n := re.sub(r"visual\.blocks\.(\d+)\..*|.*", r"\1", k)))
        noted = re.search(r"out_indices \[([\d, ]+)\]", str(self.case.meta.get("tensors", {})))
        indices = tuple(int(n) for n in noted.group(1).split(",")) if noted else tuple(range(layers - 4, layers))
        config = dict(type="CLIPTimm", model=model, pretrained=str(self.files["bb"]), position="mmseg")
        features = self._once(dict(config, out_indices=indices))(self.case.tensors["bb.image"])
        if name == "vlm_feat":
            return F.normalize(features.dense, dim=1)
        if not (found := re.fullmatch(r"level(\d)", name)):
            return None
        pyramid = ViTPyramid(channels=features.maps[0].shape[1], norm_cfg=dict(type="BN")).eval()
        mine = {k: v for k, v in self.weights["bb"].items() if k.startswith("interpolate")}
        load_strictly(pyramid, mine, "the official layers")
        return pyramid(features.maps)[int(found.group(1))]

    def head(self, part):
        """The RoI head of a part, with the official weights."""
        if part not in self._built:
            self._built[part] = self.build_head(part)
        return self._built[part]

    def build_head(self, part):
        meta, weights = self.case.meta, self.weights[part]
        mine, temperature = fvit_bbox_head(weights)
        convs, fcs, layers, regs = (
            len({key.split(".")[1] for key in weights if key.startswith(f"{name}.")})
            for name in ("shared_convs", "shared_fcs", "cls_fcs", "reg_fcs")
        )
        roi = self.case.tensors["roi_feats"].shape
        weight = meta["alpha"], meta["alpha" if part == "transfer" else "beta"]
        scale = temperature if temperature is not None else meta["transfer_fixed_temperature"]
        extractor = dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=roi[-1], sampling_ratio=0),
            out_channels=roi[1],
            featmap_strides=[4],
        )
        box = dict(
            type="ovdense.TextConvFCBBoxHead",
            in_channels=roi[1],
            conv_out_channels=len(weights["shared_convs.0.conv.weight"]) if convs else roi[1],
            fc_out_channels=len(weights["all_embeddings"]),
            roi_feat_size=roi[-1],
            num_shared_convs=convs,
            num_shared_fcs=fcs,
            num_cls_fcs=layers,
            num_reg_fcs=regs,
            norm_cfg=dict(type="BN") if "shared_convs.0.bn.weight" in weights else None,
            classifier=dict(
                logit_scale=float(scale), learn_scale=temperature is not None, background="word", trained_group="base"
            ),
        )
        vlm = dict(region="dense", logit_scale=meta["vlm_temperature"], base_weight=weight[0], novel_weight=weight[1])
        config = dict(type="ovdense.VLMFusionRoIHead", bbox_roi_extractor=extractor, bbox_head=box, vlm=vlm)
        head = MODELS.build(ConfigDict(_scope_="mmdet", **config)).eval()
        assert isinstance(head, VLMFusionRoIHead)
        load_strictly(head.bbox_head, mine, "the official box head")
        names = [name for name in meta["classes"] if name != "background"]
        groups = dict(base=[names.index(name) for name in meta["seen"] if name in names])
        rows = weights["all_embeddings"].T
        vocabulary = Vocabulary(tuple(names), tuple((name,) for name in names), groups=groups)
        embeddings = ClassEmbeddings(rows[: len(names)], torch.arange(len(names)), vocabulary, space="")
        head.bbox_head.set_class_embeddings(embeddings, rows[-1])
        return head

    def base_columns(self, head):
        return torch.cat([~head.bbox_head.classifier.untrained, torch.ones(1, dtype=torch.bool)]).to(torch.uint8)
