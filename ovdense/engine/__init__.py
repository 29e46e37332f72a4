"""Hooks and loops of training and testing."""

from ovdense.engine.feature_cache import FeatureCache, FeatureCacheHook

__all__ = ["FeatureCache", "FeatureCacheHook"]
