"""BARON (arXiv 2302.13996): sentences of neighbouring regions must mean what a CLIP sees in the crop around them.

Shapes: B images of one padded size, R proposals, W words of a region, D channels of a word.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
from mmcv.ops import nms
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.neighbourhood import sample_bags
from ovdense.models.detectors.image_statistics import renormalise_images
from ovdense.models.detectors.text_two_stage import OpenVocabTwoStageDetector
from ovdense.models.losses.bag_of_regions import BagDistiller
from ovdense.models.roi_heads.pseudo_word_classifier import PseudoWordClassifier
from ovdense.models.segmentors.frozen_checkpoint import slim_checkpoints
from ovdense.models.text_encoders.pseudo_words import PseudoWordEncoder
from ovdense.registry import MODELS

SAMPLING = dict(shape_ratio=0.25, area_ratio=0.01, objectness=0.85, nms=0.1, topk=300, with_gt=True)


@MODELS.register_module()
class BARONDetector(OpenVocabTwoStageDetector):
    """A two-stage detector whose box head has a ``PseudoWordClassifier``, with the distillation of bags of regions.

    The pictures of the detection are those of the distillation (the official ``share_batch`` recipes). An ensemble
    head (``EnsembleTextBBoxHead``) is distilled in its second branch.

    Args:
        teacher: config of a CLIP ViT of the same model as the classifier's text tower; it is frozen. None for a
            detector that is only tested.
        crop_size: pixels that the teacher sees of a bag.
        bags: options of ``BagDistiller``.
        sampling: ``shape_ratio`` and ``area_ratio`` (least ratio of a proposal's sides, least share of the picture),
            ``objectness`` (least score), ``nms`` (IoU), ``topk`` (best proposals that are looked at), ``with_gt`` (true
            boxes are proposals too).
        neighbours: options of ``functional.neighbourhood.sample_bags``.
        kwargs: of ``OpenVocabTwoStageDetector``.
    """

    def __init__(
        self,
        *,
        teacher: Mapping | None = None,
        crop_size: int = 224,
        bags: Mapping | None = None,
        sampling: Mapping | None = None,
        neighbours: Mapping | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.sampling = SAMPLING | dict(sampling or {})
        if unknown := set(self.sampling) - set(SAMPLING):
            raise ValueError(f"sampling has {sorted(SAMPLING)}, got {sorted(unknown)}")
        words = self._word_layer
        if not isinstance(words, PseudoWordClassifier):
            raise ValueError(f"BARON's box head has a PseudoWordClassifier, got {type(words).__name__}")
        self.crop_size, self.neighbours = crop_size, dict(neighbours or {})
        self.distiller = BagDistiller(num_words=words.num_words, word_dim=words.encoder.word_dim, **(bags or {}))
        self._reader = [
            PseudoWordEncoder(words.encoder.tower, "text")
        ]  # not a submodule: the tower is the classifier's
        self.teacher = None
        if teacher is not None:
            seen = dict(attention="vanilla", capture=("block_input",), with_global=True, frozen=True)
            self.teacher = MODELS.build({**teacher, **seen})
            slim_checkpoints(self, "teacher")

    @property
    def _word_layer(self):
        head = self.roi_head.bbox_head
        return head.kd_fc_cls if hasattr(head, "second_branch") else head.classifier

    def train(self, mode: bool = True) -> BARONDetector:
        """The teacher stays in evaluation mode."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def extra_losses(
        self, images: Tensor, x: Sequence[Tensor], proposals: Sequence[InstanceData], samples: Sequence
    ) -> dict[str, Tensor]:
        if self.teacher is None:
            raise ValueError("BARON is trained with a teacher: set teacher=dict(type='CLIPBackbone', ...), got None")
        bags = [self._bags(*one) for one in zip(proposals, samples)]
        boxes = [torch.cat([bag.boxes for groups in one for orders in groups for bag in orders]) for one in bags]
        rois = bbox2roi([one.to(images) for one in boxes])
        head, features = self.roi_head.bbox_head, self.roi_head.region_features(x, rois)
        second = hasattr(head, "second_branch")
        words = self._word_layer.words(head.second_branch(features) if second else head.branches(features)[0])
        kept = self._word_layer.draw_kept(words)
        images = renormalise_images(images, self.data_preprocessor, self.teacher)
        ids = [image_number(sample.metainfo.get("img_id", index)) for index, sample in enumerate(samples)]
        reader = self._reader[0]
        return self.distiller(words, kept, bags, ids, images, reader, self.teacher, self.crop_size)

    @torch.no_grad()
    def _bags(self, proposals: InstanceData, sample) -> list[list[list]]:
        """Of each chosen proposal, groups x orders of neighbours."""
        size = tuple(sample.metainfo["img_shape"])[:2]
        boxes, scores = get_box_tensor(proposals.bboxes), proposals.scores
        best = scores.argsort(descending=True)[: self.sampling["topk"]]
        boxes, scores = boxes[best], scores[best]
        if self.sampling["with_gt"] and len(sample.gt_instances):
            true = get_box_tensor(sample.gt_instances.bboxes).to(boxes)
            boxes, scores = torch.cat([boxes, true]), torch.cat([scores, scores.new_ones(len(true))])
        if not len(boxes):
            boxes, scores = boxes.new_tensor([[0.0, 0.0, size[1] - 1, size[0] - 1]]), boxes.new_ones(1)
        chosen = choose_proposals(boxes, scores, size, self.sampling)
        return [sample_bags(box.cpu(), size, **self.neighbours) for box in chosen]


def choose_proposals(boxes: Tensor, scores: Tensor, size: tuple[int, int], sampling: Mapping) -> Tensor:
    """Boxes (n,4) of the proposals (R,4) that bags are made around; the best one where none fits.

    Args:
        size: (H, W) of the picture in pixels.
        sampling: ``shape_ratio``, ``area_ratio``, ``objectness``, ``nms``, as in ``BARONDetector``.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    ratio = sides[:, 0] / (sides[:, 1] + 1e-12)
    inside = torch.minimum(boxes.clamp(min=0), boxes.new_tensor([size[1] - 1, size[0] - 1] * 2))
    covered = (inside[:, 2:] - inside[:, :2]).prod(1) / ((size[1] - 1) * (size[0] - 1))
    valid = (ratio > sampling["shape_ratio"]) & (ratio < 1 / sampling["shape_ratio"])
    valid &= (covered > sampling["area_ratio"]) & (scores > sampling["objectness"])
    if not valid.any():
        return boxes[scores.argmax()][None]
    boxes, scores = boxes[valid], scores[valid]
    return boxes[nms(boxes.contiguous(), scores.contiguous(), sampling["nms"])[1]]


def image_number(name) -> int:
    """A number of a picture's name, itself where it is one."""
    return name if isinstance(name, int) else zlib.crc32(str(name).encode())
