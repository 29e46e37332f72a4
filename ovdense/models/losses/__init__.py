"""Losses."""

from ovdense.models.losses.region_cross_entropy import RegionCrossEntropy

__all__ = ["RegionCrossEntropy"]
