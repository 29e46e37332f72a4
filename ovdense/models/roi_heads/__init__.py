"""Heads that name regions."""

from ovdense.models.roi_heads.region_text_head import RegionTextHead

__all__ = ["RegionTextHead"]
