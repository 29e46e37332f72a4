"""ViLD (arXiv 2104.13921): region embeddings follow a CLIP's embeddings of the crops.

Shapes: B images of one padded size, R proposals, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.region_distillation import embedding_distance
from ovdense.models.detectors.crop_teacher import CropTeacher
from ovdense.models.detectors.image_statistics import renormalise_images
from ovdense.models.detectors.text_two_stage import OpenVocabTwoStageDetector
from ovdense.models.segmentors.frozen_checkpoint import slim_checkpoints
from ovdense.registry import MODELS


@MODELS.register_module()
class ViLDDetector(OpenVocabTwoStageDetector):
    """A two-stage detector with ViLD's text head and image head.

    With a ``TextConvFCBBoxHead`` both heads are one (ViLD); with an ``EnsembleTextBBoxHead`` in an ``EnsembleRoIHead``
    the second branch is the image head (ViLD-ensemble), and base and novel classes take their own exponents.

    Args:
        teacher: options of ``CropTeacher``; None for a detector that is only tested.
        distill: ``num`` (best proposals of a picture that are distilled), ``weight`` (factor of the L1 distance) and
            ``min_size`` (pixels of the shorter side; smaller proposals are left out).
        kwargs: of ``OpenVocabTwoStageDetector``.

    The teacher encodes in each step; ``RegionTargetHook`` keeps what it says from a picture's first visit on.
    """

    def __init__(self, *, teacher: Mapping | None = None, distill: Mapping | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.distill = dict(num=100, weight=0.5, min_size=4.0) | dict(distill or {})
        if unknown := set(self.distill) - {"num", "weight", "min_size"}:
            raise ValueError(f"distill has num, weight and min_size, got {sorted(unknown)}")
        self.teacher = None if teacher is None else CropTeacher(**teacher)
        self.region_store = None  # has get(meta, device) and put(meta, boxes, rows)
        if self.teacher is not None:
            slim_checkpoints(self, "teacher")

    def extra_losses(
        self, images: Tensor, x: Sequence[Tensor], proposals: Sequence[InstanceData], samples: Sequence
    ) -> dict[str, Tensor]:
        if self.teacher is None:
            raise ValueError("ViLD trains its image head with a teacher: set teacher=dict(backbone=...), got None")
        images = renormalise_images(images, self.data_preprocessor, self.teacher)
        pairs = [self._targets(*one) for one in zip(images, proposals, samples)]
        rois = bbox2roi([boxes for boxes, _ in pairs])
        if not len(rois):
            return dict(loss_image=rois.sum() * x[0].sum() * 0)
        regions = self._image_head(self.roi_head.region_features(x, rois))
        targets = torch.cat([rows for _, rows in pairs])
        return dict(loss_image=self.distill["weight"] * embedding_distance(regions, targets))

    def _image_head(self, features: Tensor) -> Tensor:
        """Region embeddings (R,C) of pooled features by the branch that the teacher trains."""
        head = self.roi_head.bbox_head
        if hasattr(head, "second_branch"):
            return head.kd_fc_cls.embed(head.second_branch(features))
        return head.classifier.embed(head.branches(features)[0])

    @torch.no_grad()
    def _targets(self, image: Tensor, proposals: InstanceData, sample) -> tuple[Tensor, Tensor]:
        """Boxes (R,4) of one image and the teacher's embeddings (R,C), stored ones where there are some."""
        meta = sample.metainfo
        if self.region_store is not None and (known := self.region_store.get(meta, image.device)) is not None:
            return known
        boxes = get_box_tensor(proposals.bboxes)
        boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).amin(1) >= self.distill["min_size"]][: self.distill["num"]]
        if not len(boxes):
            return boxes, boxes.new_zeros(0, self.roi_head.bbox_head.classifier.embed_dim)
        rows = self.teacher(image, boxes, meta.get("img_shape"))
        if self.region_store is not None:
            self.region_store.put(meta, boxes, rows)
        return boxes, rows
