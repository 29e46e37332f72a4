"""A RoI head that lets a frozen CLIP vote: F-ViT (arXiv 2310.01403) and F-VLM (arXiv 2209.15639).

Shapes: R regions of the batch, K classes, C channels of the text space, h x w grid of the CLIP's map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.fusion import fuse_by_group
from ovdense.functional.region_pooling import align_boxes
from ovdense.models.roi_heads.text_roi_head import TextRoIHead
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

REGIONS = ("dense", "attention_pool")


@MODELS.register_module()
class VLMFusionRoIHead(TextRoIHead):
    """Scores are det^(1 - w) * vlm^w; training does not look at the CLIP's map.

    Which classes are base follows from ``trained_group`` of the classifier; without such a group all are.

    Args:
        vlm: ``region`` (``dense``: the mean of the unit dense features under the proposal, F-ViT; ``attention_pool``:
            the last stage of a CLIP ResNet pooled by RoIAlign and its own attention pool, F-VLM), ``logit_scale`` (the
            inverse temperature of CLIP's scores), ``base_weight`` and ``novel_weight`` (w).
        kwargs: of ``TextRoIHead``.
    """

    def __init__(self, *args, vlm: dict | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        vlm = dict(region="dense", logit_scale=100.0, base_weight=0.2, novel_weight=0.45) | dict(vlm or {})
        known = {"region", "logit_scale", "base_weight", "novel_weight"}
        if set(vlm) != known or vlm["region"] not in REGIONS:
            raise ValueError(f"vlm has {sorted(known)}, region one of {REGIONS}, got {vlm}")
        self.vlm, self.stride = vlm, None
        self._attention_pool: list = []  # not a submodule: its weights are the backbone's

    def bind_backbone(self, backbone) -> None:
        """Takes the stride and, for ``attention_pool``, the pooling layer of the detector's backbone."""
        if backbone.padding == "center":
            raise ValueError("the CLIP's map must begin at the picture's corner: use padding='corner', got 'center'")
        self.stride = backbone.stride
        if self.vlm["region"] == "attention_pool":
            if not hasattr(backbone.visual, "attnpool"):
                raise ValueError(f"region='attention_pool' needs a CLIP ResNet, got {type(backbone).__name__}")
            self._attention_pool = [backbone.visual.attnpool]

    def vlm_map(self, features: DenseFeatures) -> Tensor:
        """What the regions are pooled from: the unit dense map (B,C,h,w) or the last stage (B,D,h,w)."""
        return features.maps[-1] if self._attention_pool else F.normalize(features.dense, dim=1)

    def vlm_regions(self, vlm_map: Tensor, rois: Tensor) -> Tensor:
        """The CLIP's embeddings (R,C) of rois (R,5) in pixels of the input."""
        if self._attention_pool:
            pool = self._attention_pool[0]
            side = round((len(pool.positional_embedding) - 1) ** 0.5)
            pooled = roi_align(vlm_map, rois.to(vlm_map), (side, side), 1 / self.stride, 0, "avg", True)
            return pool(pooled)
        cells = [rois[rois[:, 0] == image, 1:] / self.stride for image in range(len(vlm_map))]
        return align_boxes(vlm_map, cells)  # rois lie image after image

    def vlm_scores(self, regions: Tensor) -> Tensor:
        """Probabilities (R,K+1) of the CLIP's region embeddings, background last."""
        classifier = self.bbox_head.classifier
        return (classifier.classify(regions) * (self.vlm["logit_scale"] / classifier.logit_scale)).softmax(1)

    def fuse_scores(
        self, logits: Tensor, x: Sequence[Tensor], rois: Tensor, proposals: Sequence[InstanceData]
    ) -> Tensor:
        scores = super().fuse_scores(logits, x, rois, proposals)
        return self.fuse_vlm(scores, self.vlm_scores(self.vlm_regions(x[-1], rois)))

    def fuse_vlm(self, detector: Tensor, vlm: Tensor) -> Tensor:
        """Final scores of both (R,K+1)."""
        base = torch.ones(detector.shape[1], dtype=torch.bool, device=detector.device)
        if (untrained := self.bbox_head.classifier.untrained) is not None:
            base[:-1] = ~untrained
        return fuse_by_group(detector, vlm, base, self.vlm["base_weight"], self.vlm["novel_weight"])
