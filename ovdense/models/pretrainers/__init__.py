"""Models that are trained without places of anything, from scratch or from a CLIP, for others to build on."""

from ovdense.models.pretrainers.clipself import CLIPSelfPretrainer, RegionCropsPreprocessor
from ovdense.models.pretrainers.name_contrast import NameContrastPretrainer
from ovdense.models.pretrainers.paste_contrast import PasteContrastPretrainer
from ovdense.models.pretrainers.region_text import RegionTextPretrainer

__all__ = [
    "CLIPSelfPretrainer",
    "NameContrastPretrainer",
    "PasteContrastPretrainer",
    "RegionCropsPreprocessor",
    "RegionTextPretrainer",
]
