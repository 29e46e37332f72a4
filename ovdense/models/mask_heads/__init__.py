"""Mask-proposal classifiers on mmdet's MaskFormer and Mask2Former heads."""

from ovdense.models.mask_heads.clip_regions import CLIPMaskPooling
from ovdense.models.mask_heads.ensembles import SeenUnseenEnsemble
from ovdense.models.mask_heads.fcclip_head import FCCLIPHead
from ovdense.models.mask_heads.feature_pyramid import SimpleFeaturePyramid
from ovdense.models.mask_heads.ovseg_head import OVSegEnsemble, OVSegHead
from ovdense.models.mask_heads.region_clip import RegionCLIPClassifier
from ovdense.models.mask_heads.text_classifier import TextClassifierMixin

__all__ = [
    "CLIPMaskPooling",
    "FCCLIPHead",
    "OVSegEnsemble",
    "OVSegHead",
    "RegionCLIPClassifier",
    "SeenUnseenEnsemble",
    "SimpleFeaturePyramid",
    "TextClassifierMixin",
]
