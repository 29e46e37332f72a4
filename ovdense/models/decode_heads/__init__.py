"""Decode heads: dense features and phrase rows in, patch logits out."""

from ovdense.models.decode_heads.cat_seg_head import CATSegHead
from ovdense.models.decode_heads.clip_dinoiser_head import CLIPDINOiserHead
from ovdense.models.decode_heads.decomposition_head import DecompositionHead
from ovdense.models.decode_heads.clipseg_head import CLIPSegHead
from ovdense.models.decode_heads.found_head import FOUNDHead
from ovdense.models.decode_heads.linear_probe_head import LinearProbeHead
from ovdense.models.decode_heads.lposs_head import LPOSSHead
from ovdense.models.decode_heads.maskclip_head import MaskCLIPHead
from ovdense.models.decode_heads.pixel_text_head import PixelTextHead
from ovdense.models.decode_heads.resclip_head import ResCLIPHead
from ovdense.models.decode_heads.side_adapter_head import SideAdapterHead
from ovdense.models.decode_heads.talk2dino_head import Talk2DINOHead
from ovdense.models.decode_heads.thing_stuff_head import ThingStuffHead

__all__ = [
    "CATSegHead",
    "CLIPDINOiserHead",
    "DecompositionHead",
    "CLIPSegHead",
    "FOUNDHead",
    "LPOSSHead",
    "LinearProbeHead",
    "MaskCLIPHead",
    "PixelTextHead",
    "ResCLIPHead",
    "SideAdapterHead",
    "Talk2DINOHead",
    "ThingStuffHead",
]
