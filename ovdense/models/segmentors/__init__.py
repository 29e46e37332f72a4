"""Segmentors: mmseg models that take a vocabulary."""

from ovdense.models.segmentors.caption_segmentor import CaptionSegmentor
from ovdense.models.segmentors.cat_segmentor import CATSegmentor
from ovdense.models.segmentors.clipseg_segmentor import CLIPSegmentor
from ovdense.models.segmentors.encoded_images import EncodedImages
from ovdense.models.segmentors.open_vocab_segmentor import OpenVocabSegmentor
from ovdense.models.segmentors.region_sources import FelzenszwalbRegions, ProposedRegions
from ovdense.models.segmentors.san_segmentor import SANSegmentor
from ovdense.models.segmentors.test_settings import TestSettings
from ovdense.models.segmentors.zero_guidance import ZeroGuidanceSegmentor

__all__ = [
    "CATSegmentor",
    "CLIPSegmentor",
    "CaptionSegmentor",
    "EncodedImages",
    "FelzenszwalbRegions",
    "OpenVocabSegmentor",
    "ProposedRegions",
    "SANSegmentor",
    "TestSettings",
    "ZeroGuidanceSegmentor",
]
