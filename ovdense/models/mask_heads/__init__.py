"""Mask-proposal classifiers."""

from ovdense.models.mask_heads.region_clip import RegionCLIPClassifier

__all__ = ["RegionCLIPClassifier"]
