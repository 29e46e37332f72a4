"""Detectors on a frozen CLIP whose own opinion of a box is a part of its score: F-ViT and F-VLM.

Shapes: B images of one padded size, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ovdense.models.detectors.text_two_stage import OpenVocabTwoStageDetector
from ovdense.models.roi_heads.vlm_fusion_head import VLMFusionRoIHead
from ovdense.models.segmentors.frozen_checkpoint import slim_checkpoints
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class FrozenVLMDetector(OpenVocabTwoStageDetector):
    """A two-stage detector on a frozen CLIP; ``roi_head`` is a ``VLMFusionRoIHead``.

    The dense map of the CLIP goes to the RoI head beside the pyramid. Checkpoints are without the backbone, which
    brings its own weights. A frozen ViT sees the padding of a batch: pad all pictures to one square in the pipeline
    (``mmdet.Pad`` with ``size`` or ``pad_to_square``), as the configs do, for results that do not depend on the batch.

    Args:
        backbone: a frozen backbone of ours; ``out_indices`` gives four blocks of a ViT.
        kwargs: of ``OpenVocabTwoStageDetector``.
    """

    def __init__(self, *, backbone: dict, save_frozen: bool = False, **kwargs) -> None:
        super().__init__(backbone=backbone, **kwargs)
        if not isinstance(self.roi_head, VLMFusionRoIHead):
            raise ValueError(f"the roi_head must be a VLMFusionRoIHead, got {type(self.roi_head).__name__}")
        if any(parameter.requires_grad for parameter in self.backbone.parameters()):
            raise ValueError("the CLIP of this detector stays as it is: build the backbone with frozen=True")
        self.roi_head.bind_backbone(self.backbone)
        if not save_frozen:
            slim_checkpoints(self, "backbone")

    def region_maps(self, features: DenseFeatures | None, maps: tuple[Tensor, ...]) -> Sequence[Tensor]:
        return maps if self.training else (*maps, self.roi_head.vlm_map(features))
