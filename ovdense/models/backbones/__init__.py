"""Image backbones: (B, 3, H, W) -> DenseFeatures. ``CLIPBackbone`` picks the class for a model name."""

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.clip_backbone import CLIPBackbone
from ovdense.models.backbones.clip_vit import CLIPViT
from ovdense.models.backbones.open_clip_loader import LoadedCLIP, load_clip

__all__ = ["CLIPBackbone", "CLIPViT", "DenseBackbone", "LoadedCLIP", "load_clip"]
