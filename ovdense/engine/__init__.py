"""Hooks and loops of training and testing."""

from ovdense.engine.any_device_runner import AnyDeviceRunner
from ovdense.engine.caption_features import CaptionFeaturesHook
from ovdense.engine.embedding_store import EmbeddingStore
from ovdense.engine.feature_cache import FeatureCache, FeatureCacheHook
from ovdense.engine.muon import MuonAdamW, MuonConstructor
from ovdense.engine.overlay_hook import OverlayHook
from ovdense.engine.protocol_hook import ProtocolHook
from ovdense.engine.region_targets import RegionTargetHook
from ovdense.engine.vocabulary_hook import VocabularyHook

__all__ = [
    "AnyDeviceRunner",
    "CaptionFeaturesHook",
    "EmbeddingStore",
    "FeatureCache",
    "FeatureCacheHook",
    "MuonAdamW",
    "MuonConstructor",
    "OverlayHook",
    "ProtocolHook",
    "RegionTargetHook",
    "VocabularyHook",
]
