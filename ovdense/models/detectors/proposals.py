"""Where regions come from: given by the user, or by an mmdet RPN head; the base of all generators.

A generator is called with normalised images (B,3,H,W), their ``DenseFeatures`` and mm metainfos, and returns one
``InstanceData`` an image: ``bboxes`` (R,4) xyxy in input pixels, ``scores`` (R,) in [0, 1] and, if it has them,
``masks`` (R,H,W) bool or ``SegmentMasks``. One with ``image_mean`` and ``image_std`` of its own gets images normalised
its own way. A module that is no ``ProposalGenerator``, such as ``TinyProposalNet``, gets the images alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.region_pooling import clip_boxes, mask_boxes, resize_masks
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


class ProposalGenerator(BaseModule):
    """Base of generators that look at more than the picture."""

    def forward(self, images: Tensor, features: DenseFeatures, metainfos: Sequence[dict]) -> list[InstanceData]:
        raise NotImplementedError


@MODELS.register_module()
class GivenProposals(ProposalGenerator):
    """Boxes or masks that come with the image.

    They are read from the key ``proposals`` of the metainfo: (R,4) xyxy boxes or (R,H,W) masks of the original picture,
    or an ``InstanceData`` of them. Data samples with ``proposals`` (mmdet's ``LoadProposals``) are read by the
    detector itself.

    Args:
        boxes: proposals for every image, for pictures from a fixed camera.
    """

    def __init__(self, *, boxes: Sequence | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.boxes = boxes

    def forward(self, images: Tensor, features: DenseFeatures, metainfos: Sequence[dict]) -> list[InstanceData]:
        return [self._one(meta, images) for meta in metainfos]

    def _one(self, meta: dict, images: Tensor) -> InstanceData:
        given = meta.get("proposals", self.boxes)
        if given is None:
            raise ValueError(
                "GivenProposals found no proposals: put boxes (R, 4) or masks (R, H, W) of the original picture under "
                f"the key 'proposals', got the keys {sorted(meta)}"
            )
        return given_instances(given, meta, images)


def given_instances(given, meta: dict, images: Tensor) -> InstanceData:
    """Boxes, masks or InstanceData of the original picture as proposals of the network's input."""
    boxes = masks = scores = None
    if isinstance(given, InstanceData):
        boxes, masks, scores = given.get("bboxes"), given.get("masks"), given.get("scores")
    else:
        array = given if isinstance(given, Tensor) else torch.as_tensor(np.asarray(given))
        boxes, masks = (None, array) if array.ndim == 3 else (array, None)
    size = tuple(meta.get("img_shape", images.shape[-2:]))[:2]
    device = images.device
    result = InstanceData()
    if masks is not None:
        if hasattr(masks, "to_tensor"):  # mmdet's BitmapMasks, PolygonMasks
            masks = masks.to_tensor(torch.bool, device)
        masks = resize_masks(torch.as_tensor(masks, device=device).bool(), size)
        padding = (0, images.shape[-1] - size[1], 0, images.shape[-2] - size[0])
        result.masks = torch.nn.functional.pad(masks, padding)
    if boxes is not None:
        boxes = torch.as_tensor(getattr(boxes, "tensor", boxes), dtype=torch.float32, device=device).reshape(-1, 4)
        scale = boxes.new_tensor(meta.get("scale_factor", (1.0, 1.0))).repeat(2)
        result.bboxes = clip_boxes(boxes * scale, size)
    else:
        result.bboxes = mask_boxes(result.masks)
    count = len(result.bboxes)
    result.scores = torch.ones(count, device=device) if scores is None else torch.as_tensor(scores, device=device)
    return result


@MODELS.register_module()
class RPNProposals(ProposalGenerator):
    """An mmdet RPN head on the backbone's stage maps.

    Args:
        rpn_head: config of mmdet's ``RPNHead`` or a relative (``mmdet.RPNHead``), with its ``train_cfg``, ``test_cfg``.
        neck: config of a neck between the stage maps and the head (``mmdet.FPN``); None feeds the maps themselves.
        levels: indices of ``DenseFeatures.maps`` that are used.
    """

    def __init__(
        self,
        *,
        rpn_head: dict,
        neck: dict | None = None,
        levels: Sequence[int] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        # mmdet's heads name their losses without a scope.
        self.neck = None if neck is None else MODELS.build(ConfigDict({"_scope_": "mmdet", **neck}))
        self.rpn_head = MODELS.build(ConfigDict({"_scope_": "mmdet", **rpn_head}))
        self.levels = levels

    def forward(self, images: Tensor, features: DenseFeatures, metainfos: Sequence[dict]) -> list[InstanceData]:
        predictions = self.rpn_head(self._maps(features))
        shapes = [dict(img_shape=tuple(images.shape[-2:]), **_without(meta, "img_shape")) for meta in metainfos]
        for shape, meta in zip(shapes, metainfos):
            shape["img_shape"] = tuple(meta.get("img_shape", shape["img_shape"]))[:2]
        found = self.rpn_head.predict_by_feat(*predictions, batch_img_metas=shapes, rescale=False)
        return [InstanceData(bboxes=_plain(one.bboxes), scores=one.scores) for one in found]

    def loss(self, features: DenseFeatures, data_samples: Sequence) -> dict:
        """Class-agnostic RPN losses on all ground-truth boxes."""
        samples = []
        for sample in data_samples:
            sample, truth = sample.clone(), sample.gt_instances.clone()
            truth.labels = torch.zeros_like(truth.labels)
            sample.gt_instances = truth
            samples.append(sample)
        losses = self.rpn_head.loss(self._maps(features), samples)
        return {name if "rpn" in name else f"rpn_{name}": value for name, value in losses.items()}

    def _maps(self, features: DenseFeatures) -> tuple[Tensor, ...]:
        maps = features.maps if self.levels is None else tuple(features.maps[level] for level in self.levels)
        return tuple(maps) if self.neck is None else tuple(self.neck(maps))


def _plain(boxes) -> Tensor:
    return getattr(boxes, "tensor", boxes)


def _without(meta: dict, key: str) -> dict:
    return {name: value for name, value in meta.items() if name != key}
