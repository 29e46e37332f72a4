"""Models that are trained from scratch, without places of anything, for others to build on."""

from ovdense.models.pretrainers.name_contrast import NameContrastPretrainer
from ovdense.models.pretrainers.paste_contrast import PasteContrastPretrainer
from ovdense.models.pretrainers.region_text import RegionTextPretrainer

__all__ = ["NameContrastPretrainer", "PasteContrastPretrainer", "RegionTextPretrainer"]
