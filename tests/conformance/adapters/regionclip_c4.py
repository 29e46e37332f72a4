"""RegionCLIP's C4 detector: features, logits, losses and detections, from the imported official weights."""

from __future__ import annotations

import math
import re
from functools import cached_property

import torch
from comparison import SCALED_LOGIT_ATOL
from mmengine.structures import InstanceData
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.functional.region_classification import region_cross_entropy
from ovdense.models.detectors import OpenVocabTwoStageDetector
from ovdense.models.regionclip_checkpoint import convert_regionclip
from ovdense.structures import ClassEmbeddings, Vocabulary

RULES = dict(zs=dict(box_delta=False), ft=dict(box_delta=True))


class RegionCLIPAdapter(Adapter):
    methods = ("regionclip_c4",)

    def __init__(self, case):
        super().__init__(case)
        self.tolerances = {name: SCALED_LOGIT_ATOL for name in ("scores_logits_openset", "scores_logits_train")}

    def needs_image(self, point):
        return False

    @cached_property
    def detector(self) -> OpenVocabTwoStageDetector:
        found = convert_regionclip(load_file(self.case.weights))
        dims, config = self.case.meta["dims"], resnet_config(self.case)
        options = dict(model=config, pretrained=None)
        scale = 1 / dims.get("temperature", 0.01)
        model = OpenVocabTwoStageDetector(
            backbone=dict(type="CLIPResNetC4", **options),
            roi_head=dict(
                type="ovdense.TextRoIHead",
                bbox_roi_extractor=dict(
                    type="ovdense.CLIPResNetTail", output_size=dims["pooler_resolution"], **options
                ),
                bbox_head=dict(
                    type="ovdense.TextBBoxHead", in_channels=config["embed_dim"], classifier=dict(logit_scale=scale)
                ),
            ),
        )
        model.load_state_dict(found.state)
        return model.eval()

    @property
    def tail(self):
        return self.detector.roi_head.bbox_roi_extractor

    @cached_property
    def images(self):
        return self.case.tensors["image_normalised"]

    @cached_property
    def rois(self):
        boxes = [self.case.tensors[f"boxes_img{index}"] for index in range(len(self.images))]
        return torch.cat([torch.nn.functional.pad(one, (1, 0), value=i) for i, one in enumerate(boxes)])

    @cached_property
    def maps(self):
        with torch.no_grad():
            return self.detector.extract_feat(self.images)[0]

    @cached_property
    def embedding(self):
        with torch.no_grad():
            return self.tail((self.maps,), self.rois)

    def logits(self, rows):
        names = Vocabulary.parse([f"class {index}" for index in range(len(rows))])
        embeddings = ClassEmbeddings(torch.nn.functional.normalize(rows, dim=1), torch.arange(len(rows)), names, "")
        self.detector.set_vocabulary(embeddings)
        self.detector.place_classes()
        return self.detector.roi_head.bbox_head.classifier(self.embedding)

    @torch.no_grad()
    def derive(self, point):
        tensors = self.case.tensors
        if point == "image_normalised" and "image_01" in tensors:
            mean, std = (torch.tensor(value).view(3, 1, 1) for value in self.statistics)
            return (tensors["image_01"] - mean) / std
        if point == "res4":
            return self.maps
        if point == "pooled":
            return self.tail._align(self.maps, self.rois)
        if point == "res5_roi":
            return self.tail.region_maps(self.maps, self.rois)
        if point == "roi_embedding":
            return self.embedding
        if point == "proposal_deltas":
            return self.detector.roi_head.bbox_head.fc_reg(self.embedding)
        if point == "scores_logits_openset":
            return self.logits(tensors["text_emb_test"])
        if point == "probs_openset":
            return self.logits(tensors["text_emb_test"]).softmax(1)
        if point == "scores_logits_train":
            return self.logits(tensors["text_emb_train"])
        if point.startswith("train.loss"):
            return self.loss(point.removeprefix("train.loss_")).view(1)
        if found := re.fullmatch(r"zs_rpn\.fused_scores_img(\d+)", point):
            return self.fused("logit", int(found[1]))
        if found := re.fullmatch(r"det\.(\w+)\.img(\d+)\.(boxes|scores|classes)", point):
            names = dict(boxes="bboxes", scores="scores", classes="labels")
            return self.detections(found[1], int(found[2]))[names[found[3]]]
        return None

    @property
    def statistics(self):
        return self.detector.backbone.image_mean, self.detector.backbone.image_std

    def fused(self, rule, image):
        logits = self.logits(self.case.tensors["text_emb_test"])
        head, boxes = self.detector.roi_head, self.rois
        head.test_cfg = dict(objectness=rule)
        proposals = [
            InstanceData(bboxes=boxes[boxes[:, 0] == i, 1:], scores=one.sigmoid(), logits=one)
            for i in range(len(self.images))
            for one in [self.case.tensors[f"objectness_img{i}"]]
        ]
        scores = head.fuse_scores(logits, (self.maps,), boxes, proposals)
        return scores[boxes[:, 0] == image]

    def detections(self, config, image):
        dims, member = self.case.meta["dims"], self.rois[:, 0] == image
        mode, _, rest = config.partition("_")
        nms = dict(type="nms", iou_threshold=dims["nms"])
        if "softnms" in rest:
            nms = dict(type="soft_nms", iou_threshold=dims["nms"], sigma=0.5, min_score=0.001, method="gaussian")
        scores = self.fused("logit" if re.search(r"(^|_)rpn", rest) else None, image)
        cfg = dict(RULES[mode], score_thr=dims["score_thresh"], nms=nms, max_per_img=dims["topk"])
        meta = dict(img_shape=tuple(self.images.shape[-2:]))
        return self.detector.roi_head.bbox_head.select(scores, self.embedding[member], self.rois[member, 1:], meta, cfg)

    def loss(self, name):
        tensors = self.case.tensors
        if found := re.fullmatch(r"cls_(ce|focal([\d.]+))_bg([\d.]+)", name):
            options = dict(average="weights") if found[1] == "ce" else dict(gamma=float(found[2]))
            logits = self.logits(tensors["text_emb_train"])
            labels = tensors["train.gt_classes"].long()
            return region_cross_entropy(logits, labels, background_weight=float(found[3]), **options)
        head, classes = self.detector.roi_head.bbox_head, tensors["train.gt_classes"]
        foreground = (classes < len(tensors["text_emb_train"])).nonzero().flatten()
        deltas = head.fc_reg(self.embedding)[foreground]
        targets = head.bbox_coder.encode(self.rois[foreground, 1:], tensors["train.gt_boxes"][foreground])
        return (deltas - targets).abs().sum() / len(classes)


def resnet_config(case):
    """open_clip's config of the ModifiedResNet in a case."""
    shapes, dims = case.weight_shapes, case.meta.get("dims", {})
    width = 2 * shapes["backbone.conv1.weight"][0]
    depths = [
        len({re.match(rf"backbone\.layer{stage}\.(\d+)\.", key)[1] for key in shapes if f".layer{stage}." in key})
        for stage in range(1, 5)
    ]
    side = math.isqrt(shapes["backbone.attnpool.positional_embedding"][0] - 1)
    heads = int(dims.get("heads", width // 2))
    return dict(
        embed_dim=shapes["backbone.attnpool.c_proj.weight"][0],
        vision_cfg=dict(
            image_size=32 * side, layers=depths, width=width, head_width=width * 32 // heads, patch_size=None
        ),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    )
