"""CLIPSelf: a ViT learns for its regions what it says itself of their crops (arXiv 2310.01403).

Shapes: B pictures, R regions of all pictures, C channels of the text space.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, ImgDataPreprocessor
from torch import Tensor

from ovdense.functional.region_pooling import align_boxes
from ovdense.functional.self_distillation import cosine_distance
from ovdense.models.backbones.transformer import TransformerBackbone
from ovdense.registry import MODELS


@MODELS.register_module()
class RegionCropsPreprocessor(ImgDataPreprocessor):
    """mmengine's ``ImgDataPreprocessor`` that normalises the crops of the regions like the pictures."""

    def forward(self, data: dict, training: bool = False) -> dict:
        data = super().forward(data, training)
        crops = torch.cat(list(data["crops"]))
        if self._channel_conversion:
            crops = crops[:, [2, 1, 0]]
        return {**data, "crops": (crops.float() - self.mean) / self.std}


@MODELS.register_module()
class CLIPSelfPretrainer(BaseModel):
    """Student and frozen teacher of the same weights; the student's blocks are trained, nothing else of it.

    The student's dense features under a box (``align_boxes`` of the unit map) must point where the teacher's image
    embedding of the crop of that box points. What is to be used in the end is an average of both
    (``functional.self_distillation.average_weights``, ``tools/model_converters/clipself_weights.py``).

    Args:
        backbone: config of a ViT backbone (``CLIPBackbone`` with any of its models); ``frozen`` and ``with_global`` are
            set here. Its own default for the last block is what the student learns with: the value path for ViTs with
            a class token, the pooling head of each token for SigLIP.
        trained_blocks: number of blocks from the end that are trained; None for all.
        sizes: longest sides of the student's pictures, one drawn for each batch (the official ``multiscale``); empty
            leaves them as they come.
        weight: factor of the loss.
        data_preprocessor: options over ``RegionCropsPreprocessor`` with the mean and std of the backbone, which pads
            pictures of a batch at the right and the bottom to the size of the largest.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        trained_blocks: int | None = None,
        sizes: Sequence[int] = (),
        weight: float = 1.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        student = MODELS.build(dict(backbone, frozen=False))
        if not isinstance(student, TransformerBackbone):
            raise ValueError(f"CLIPSelf distils ViTs: {type(student).__name__} has no blocks of attention")
        statistics = dict(
            mean=[255 * value for value in student.image_mean], std=[255 * value for value in student.image_std]
        )
        default = dict(type="RegionCropsPreprocessor", bgr_to_rgb=True, **statistics)
        preprocessor = MODELS.build({**default, **(data_preprocessor or {})})
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)
        self.student = student
        self.teacher = MODELS.build(dict(backbone, frozen=True, with_global=True))
        self.teacher.load_state_dict(self.student.state_dict())
        self.sizes, self.weight = tuple(sizes), weight
        blocks = list(student.blocks())
        count = len(blocks) if trained_blocks is None else trained_blocks
        if not 1 <= count <= len(blocks):
            raise ValueError(f"trained_blocks must be 1 to {len(blocks)} for {student.name}, got {trained_blocks}")
        self.student.requires_grad_(False)
        for block in blocks[-count:]:
            block.requires_grad_(True)

    def init_weights(self) -> None:
        """Weights are in place after construction."""
        self._is_init = True

    def forward(
        self,
        inputs: Tensor,
        data_samples=None,
        *,
        crops: Tensor | None = None,
        boxes: Sequence[Tensor] = (),
        mode: str = "tensor",
    ):
        """Losses in mode ``loss``; else the student's dense features (B,C,h,w), not normalised."""
        return self.loss(inputs, crops, boxes) if mode == "loss" else self.student(inputs).dense

    def loss(self, images: Tensor, crops: Tensor, boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Loss of normalised pictures (B,3,H,W), crops (R,3,s,s) and boxes (R_i,4) in pixels of each picture."""
        if self.sizes:
            images, boxes = resize_longest(images, boxes, random.choice(self.sizes))
        regions = self.region_features(images, boxes)
        with torch.no_grad():
            targets = self.teacher(crops).global_embedding
        return dict(loss_cosine=self.weight * cosine_distance(regions, targets))

    def region_features(self, images: Tensor, boxes: Sequence[Tensor]) -> Tensor:
        """The student's features (R,C) under boxes (R_i,4) in pixels of each picture, not normalised."""
        return region_features(self.student, images, boxes)


def region_features(backbone: TransformerBackbone, images: Tensor, boxes: Sequence[Tensor]) -> Tensor:
    """Unit dense features averaged under boxes, (B,3,H,W) x (R_i,4) in pixels -> (R,C), not normalised again."""
    features = backbone(images)
    left, top, _, _ = features.padding
    shift = images.new_tensor([left, top, left, top])
    cells = [(image_boxes.to(images) + shift) / features.stride for image_boxes in boxes]
    return align_boxes(F.normalize(features.dense, dim=1), cells)


def resize_longest(images: Tensor, boxes: Sequence[Tensor], longest: int) -> tuple[Tensor, list[Tensor]]:
    """Pictures (B,3,H,W) with their boxes at a size whose longest side is ``longest`` pixels."""
    height, width = images.shape[-2:]
    scale = longest / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    factors = images.new_tensor([size[1] / width, size[0] / height] * 2)
    resized = F.interpolate(images, size=size, mode="bilinear", align_corners=False)
    return resized, [image_boxes.to(images) * factors for image_boxes in boxes]
