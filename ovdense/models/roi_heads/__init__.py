"""Heads that name regions."""

from ovdense.models.roi_heads.ensemble_head import EnsembleRoIHead, EnsembleTextBBoxHead
from ovdense.models.roi_heads.mask_crop_head import MaskCropHead
from ovdense.models.roi_heads.pseudo_word_classifier import PseudoWordClassifier
from ovdense.models.roi_heads.region_text_head import RegionTextHead
from ovdense.models.roi_heads.text_bbox_head import TextBBoxHead, TextBoxMixin, TextConvFCBBoxHead
from ovdense.models.roi_heads.text_classifier import TextClassifier
from ovdense.models.roi_heads.text_roi_head import TextRoIHead
from ovdense.models.roi_heads.vlm_fusion_head import VLMFusionRoIHead

__all__ = [
    "EnsembleRoIHead",
    "EnsembleTextBBoxHead",
    "MaskCropHead",
    "PseudoWordClassifier",
    "RegionTextHead",
    "TextBBoxHead",
    "TextBoxMixin",
    "TextClassifier",
    "TextConvFCBBoxHead",
    "TextRoIHead",
    "VLMFusionRoIHead",
]
