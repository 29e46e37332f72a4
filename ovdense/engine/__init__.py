"""Hooks and loops of training and testing."""

from ovdense.engine.feature_cache import FeatureCache, FeatureCacheHook
from ovdense.engine.overlay_hook import OverlayHook
from ovdense.engine.vocabulary_hook import VocabularyHook

__all__ = ["FeatureCache", "FeatureCacheHook", "OverlayHook", "VocabularyHook"]
