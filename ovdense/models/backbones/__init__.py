"""Image backbones: (B, 3, H, W) -> DenseFeatures. ``CLIPBackbone`` picks the class for a model name."""

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.clip_backbone import CLIPBackbone
from ovdense.models.backbones.clip_convnext import CLIPConvNeXt
from ovdense.models.backbones.clip_resnet import CLIPResNet
from ovdense.models.backbones.clip_resnet_c4 import CLIPResNetC4
from ovdense.models.backbones.clip_resnet_tail import CLIPResNetTail
from ovdense.models.backbones.clip_timm import CLIPTimm
from ovdense.models.backbones.clip_vit import CLIPViT
from ovdense.models.backbones.companion import CompanionBackbone
from ovdense.models.backbones.corrclip import CorrCLIPBackbone
from ovdense.models.backbones.decomposed import DecomposedCLIP
from ovdense.models.backbones.dino import DINOBackbone
from ovdense.models.backbones.dinotxt import DINOTxtBackbone
from ovdense.models.backbones.lite import LiteBackbone
from ovdense.models.backbones.open_clip_loader import LoadedCLIP, load_clip
from ovdense.models.backbones.proxy import ProxyBackbone
from ovdense.models.backbones.region_refined import RegionRefinedBackbone
from ovdense.models.backbones.sam import SAMBackbone
from ovdense.models.backbones.stages import StageBackbone
from ovdense.models.backbones.surgery import SurgeryCLIP
from ovdense.models.backbones.trident import TridentBackbone

__all__ = [
    "CLIPBackbone",
    "CLIPConvNeXt",
    "CLIPResNet",
    "CLIPResNetC4",
    "CLIPResNetTail",
    "CLIPTimm",
    "CLIPViT",
    "CompanionBackbone",
    "CorrCLIPBackbone",
    "DINOBackbone",
    "DINOTxtBackbone",
    "DecomposedCLIP",
    "DenseBackbone",
    "LiteBackbone",
    "LoadedCLIP",
    "ProxyBackbone",
    "RegionRefinedBackbone",
    "SAMBackbone",
    "StageBackbone",
    "SurgeryCLIP",
    "TridentBackbone",
    "load_clip",
]
