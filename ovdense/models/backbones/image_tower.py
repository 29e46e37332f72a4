"""A CLIP's image tower to be trained from random weights."""

from __future__ import annotations

from open_clip.transformer import VisionTransformer


def random_image_tower(**options) -> VisionTransformer:
    """open_clip's ``VisionTransformer`` with random weights; ``options`` are its keyword arguments."""
    return VisionTransformer(**options, output_tokens=True)
