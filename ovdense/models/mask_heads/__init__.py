"""Mask-proposal classifiers on mmdet's MaskFormer and Mask2Former heads."""

from ovdense.models.mask_heads.clip_regions import CLIPMaskPooling
from ovdense.models.mask_heads.content_transfer import ContentDependentTransfer
from ovdense.models.mask_heads.ensembles import SeenUnseenEnsemble
from ovdense.models.mask_heads.fcclip_head import FCCLIPHead
from ovdense.models.mask_heads.feature_pyramid import SimpleFeaturePyramid
from ovdense.models.mask_heads.prompt_guided_head import PromptGuidedFCCLIPHead, PromptGuidedMixin
from ovdense.models.mask_heads.text_classifier import TextClassifierMixin

__all__ = [
    "CLIPMaskPooling",
    "ContentDependentTransfer",
    "FCCLIPHead",
    "PromptGuidedFCCLIPHead",
    "PromptGuidedMixin",
    "SeenUnseenEnsemble",
    "SimpleFeaturePyramid",
    "TextClassifierMixin",
]
