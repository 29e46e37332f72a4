"""Heads that name regions."""

from ovdense.models.roi_heads.mask_crop_head import MaskCropHead
from ovdense.models.roi_heads.region_text_head import RegionTextHead

__all__ = ["MaskCropHead", "RegionTextHead"]
