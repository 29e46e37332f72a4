"""Regions named by a CLIP that looks at their masked crops, for detectors (the classifier of OVSeg, arXiv 2210.04150).

Shapes: R regions, K classes, H x W pixels.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.fusion import geometric_mean
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures, SegmentMasks


@MODELS.register_module()
class MaskCropHead(BaseModule):
    """Proposals with masks -> class scores (R,K) in [0, 1], by their crops alone.

    Args:
        classifier: config of a ``RegionCLIPClassifier``.
        objectness_weight: share of the proposal's own score in the geometric mean.
    """

    def __init__(self, *, classifier: dict, objectness_weight: float = 0.0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.classifier = MODELS.build(classifier)
        self.objectness_weight = objectness_weight

    def forward(
        self,
        features: DenseFeatures,
        proposals: InstanceData,
        embeddings: ClassEmbeddings,
        image: Tensor,
        backbone,
    ) -> Tensor:
        """Scores of the regions of one normalised picture (3,H,W); those of masks without a pixel are 0.

        Raises:
            ValueError: proposals without masks.
        """
        if "masks" not in proposals:
            raise ValueError(
                "masked crops need proposals with masks: TinyProposalNet, SegmentProposals or masks that are given"
            )
        height, width = image.shape[1:]
        masks = proposals.masks
        is_nested = isinstance(masks, SegmentMasks)
        masks = masks.resize((height, width)) if is_nested else masks[:, :height, :width].bool()
        mean, std = (image.new_tensor(values).view(3, 1, 1) for values in (backbone.image_mean, backbone.image_std))
        found, valid = self.classifier(((image * std + mean) * 255).clamp(0, 255), masks.to(image.device))
        scores = image.new_zeros((len(valid), embeddings.num_classes))
        scores[valid] = self.classifier.logits(found, embeddings).float().softmax(dim=1).to(scores)
        if self.objectness_weight:
            scores = geometric_mean(scores, proposals.scores[:, None].to(scores), self.objectness_weight)
        return torch.where(valid[:, None], scores, 0)
