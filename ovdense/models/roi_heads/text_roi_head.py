"""mmdet's RoI head for a text classifier: scores first, boxes of what is left second.

Shapes: R regions of the batch, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.region_classification import fuse_objectness
from ovdense.registry import MODELS

OBJECTNESS = (None, "sigmoid", "logit")


@MODELS.register_module()
class TextRoIHead(StandardRoIHead):
    """Pooled features -> class scores -> fusion -> boxes and NMS.

    ``test_cfg`` takes, besides ``score_thr``, ``nms``, ``max_per_img``, ``box_delta`` and ``nms_pre``
    (``TextBoxMixin.select``):

    - ``objectness``: None for none; ``sigmoid`` for the square root of class score times the proposal's score in
      [0, 1]; ``logit`` for the same with the raw logit, as RegionCLIP's official code has it: proposals of negative
      logits vanish and scores may exceed 1.

    A subclass fuses other evidence by ``fuse_scores``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        rule = (self.test_cfg or {}).get("objectness")
        if rule not in OBJECTNESS:
            raise ValueError(f"objectness must be one of {OBJECTNESS}, got {rule!r}")

    def region_features(self, x: Sequence[Tensor], rois: Tensor) -> Tensor:
        """Pooled features of rois (R,5), through the shared head where there is one."""
        features = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        return self.shared_head(features) if self.with_shared_head else features

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict:
        features = self.region_features(x, rois)
        logits, deltas = self.bbox_head(features)
        return dict(cls_score=logits, bbox_pred=deltas, bbox_feats=features)

    def fuse_scores(
        self, logits: Tensor, x: Sequence[Tensor], rois: Tensor, proposals: Sequence[InstanceData]
    ) -> Tensor:
        """Final scores (R,K+1) from the classifier's logits (R,K+1) and whatever else is known of the proposals."""
        scores = logits.softmax(1)
        rule = (self.test_cfg or {}).get("objectness")
        if rule is None:
            return scores
        return fuse_objectness(scores, torch.cat([objectness_of(one, rule) for one in proposals]))

    def predict_bbox(
        self,
        x: Sequence[Tensor],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        rcnn_test_cfg: dict,
        rescale: bool = False,
    ) -> list[InstanceData]:
        boxes = [get_box_tensor(one.bboxes) for one in rpn_results_list]
        rois = bbox2roi(boxes)
        if not len(rois):
            return [empty(rois) for _ in boxes]
        for_class, for_box = self.bbox_head.branches(self.region_features(x, rois))
        scores = self.fuse_scores(self.bbox_head.classifier(for_class), x, rois, rpn_results_list)
        counts = [len(one) for one in boxes]
        parts = zip(scores.split(counts), for_box.split(counts), boxes, batch_img_metas)
        return [self.bbox_head.select(*part, rcnn_test_cfg, rescale) for part in parts]


def objectness_of(proposals: InstanceData, rule: str) -> Tensor:
    """(R,) objectness: ``scores`` in [0, 1], or logits: the field ``logits``, else made of the scores."""
    if "scores" not in proposals:
        raise ValueError(f"objectness={rule!r} needs scored proposals, got the fields {sorted(proposals.keys())}")
    if rule == "sigmoid":
        return proposals.scores
    return proposals.logits if "logits" in proposals else proposals.scores.logit(eps=1e-6)


def empty(like: Tensor) -> InstanceData:
    """No detections."""
    labels = torch.zeros(0, dtype=torch.long, device=like.device)
    return InstanceData(bboxes=like.new_zeros(0, 4), scores=like.new_zeros(0), labels=labels)
