"""Proposals of a separate network, which sees the pictures its own way and is never trained along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict
from ovdense.models.detectors.proposals import ProposalGenerator
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

RESNET50 = dict(
    type="ResNet",
    depth=50,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    frozen_stages=4,
    norm_cfg=dict(type="BN", requires_grad=False),
    norm_eval=True,
    style="caffe",
)
FPN = dict(type="FPN", in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5)
RPN = dict(
    type="RPNHead",
    in_channels=256,
    feat_channels=256,
    # Detectron2's anchors stand on the corners of the cells.
    anchor_generator=dict(
        type="AnchorGenerator", scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64], center_offset=0.0
    ),
    bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),
)


@MODELS.register_module()
class OfflineRPN(ProposalGenerator):
    """mmdet's ResNet-50 FPN RPN, as in a Mask R-CNN of Detectron2 or mmdet; RegionCLIP's offline proposal network.

    Args:
        pretrained: file with the weights ``backbone.*``, ``neck.*`` and ``rpn_head.*`` (an mmdet checkpoint; other
            parts of it are left out); None where a checkpoint of the detector brings them.
        backbone: config of mmdet's backbone.
        neck: config of mmdet's neck.
        rpn_head: config of mmdet's RPN head.
        image_mean: RGB, 0..1; the default are Caffe's, as Detectron2's networks want them.
        image_std: RGB, 0..1.
        to_bgr: the network takes BGR.
        nms: IoU threshold; RegionCLIP takes 0.9 for zero-shot inference and 0.5 in pretraining.
        nms_pre: best boxes of each level that enter NMS.
        max_per_img: proposals of an image.
    """

    def __init__(
        self,
        *,
        pretrained: str | Path | None = None,
        backbone: dict | None = None,
        neck: dict | None = None,
        rpn_head: dict | None = None,
        image_mean: Sequence[float] = (123.675 / 255, 116.28 / 255, 103.53 / 255),
        image_std: Sequence[float] = (1 / 255, 1 / 255, 1 / 255),
        to_bgr: bool = True,
        nms: float = 0.9,
        nms_pre: int = 1000,
        max_per_img: int = 1000,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        test_cfg = dict(
            nms_pre=nms_pre, max_per_img=max_per_img, nms=dict(type="nms", iou_threshold=nms), min_bbox_size=0
        )
        self.backbone, self.neck, self.rpn_head = (
            MODELS.build(ConfigDict({"_scope_": "mmdet", **config}))
            for config in (backbone or RESNET50, neck or FPN, {**(rpn_head or RPN), "test_cfg": test_cfg})
        )
        self.image_mean, self.image_std, self.to_bgr = tuple(image_mean), tuple(image_std), to_bgr
        if pretrained is not None:
            tensors = read_state_dict(Path(pretrained))
            own = {name: value for name, value in tensors.items() if name.startswith(("backbone.", "neck.", "rpn_"))}
            load_strictly(self, own, f"{pretrained} for the proposal network")
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> OfflineRPN:
        """Always in evaluation mode."""
        return super().train(False)

    def init_weights(self) -> None:
        """Weights are in place after construction."""
        self._is_init = True

    @torch.no_grad()
    def forward(self, images: Tensor, features: DenseFeatures | None, metainfos: Sequence[dict]) -> list[InstanceData]:
        """Scored proposals of images (B,3,H,W) that are normalised with ``image_mean`` and ``image_std``."""
        shapes = [dict(meta, img_shape=tuple(meta.get("img_shape", images.shape[-2:]))[:2]) for meta in metainfos]
        clean = torch.zeros_like(images)  # padding is zero after this network's own normalisation
        for index, shape in enumerate(shapes):
            height, width = shape["img_shape"]
            clean[index, :, :height, :width] = images[index, :, :height, :width]
        maps = self.neck(self.backbone(clean.flip(1) if self.to_bgr else clean))
        found = self.rpn_head.predict_by_feat(*self.rpn_head(maps), batch_img_metas=shapes, rescale=False)
        return [InstanceData(bboxes=get_box_tensor(one.bboxes), scores=one.scores) for one in found]
