"""Everything that ``ovdense.registry.MODELS`` can build."""

from ovdense.models import (
    backbones,
    decode_heads,
    detectors,
    losses,
    mask_heads,
    pretrainers,
    roi_heads,
    segment_trees,
    segmentors,
    text_encoders,
)

__all__ = [
    "backbones",
    "decode_heads",
    "detectors",
    "losses",
    "mask_heads",
    "pretrainers",
    "roi_heads",
    "segment_trees",
    "segmentors",
    "text_encoders",
]
