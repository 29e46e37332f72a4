"""Models that are trained without labels, for others to build on."""

from ovdense.models.pretrainers.paste_contrast import PasteContrastPretrainer

__all__ = ["PasteContrastPretrainer"]
