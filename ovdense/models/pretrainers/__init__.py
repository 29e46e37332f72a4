"""Models that are trained for others to build on: towers without places of anything, or on crops."""

from ovdense.models.pretrainers.clipself import CLIPSelfPretrainer, RegionCropsPreprocessor
from ovdense.models.pretrainers.mask_nouns import MaskNounContrast
from ovdense.models.pretrainers.name_contrast import NameContrastPretrainer
from ovdense.models.pretrainers.paste_contrast import PasteContrastPretrainer
from ovdense.models.pretrainers.region_text import RegionTextPretrainer

__all__ = [
    "CLIPSelfPretrainer",
    "MaskNounContrast",
    "NameContrastPretrainer",
    "PasteContrastPretrainer",
    "RegionCropsPreprocessor",
    "RegionTextPretrainer",
]
