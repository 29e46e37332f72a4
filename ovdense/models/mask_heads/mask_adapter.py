"""Mask-Adapter (arXiv 2412.04533): learned activation maps in place of the masks that pool CLIP's features.

Shapes: B images, Q proposals, M maps of a proposal, C channels of the CLIP map, D hidden channels, h x w CLIP grid,
H x W grid of the masks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.mask_pooling import has_pixels
from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.mask_heads.clip_regions import CLIPMaskPooling
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

PROPOSALS_AT_ONCE = 64


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (N,C,h,w)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ScaledConvNeXtBlock(nn.Module):
    """Depthwise 7 x 7, norm, two linear layers, layer scale, (N,D,h,w) -> (N,D,h,w)."""

    def __init__(self, width: int, scale: float = 1e-6) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.gamma = nn.Parameter(scale * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1))) * self.gamma
        return x + y.permute(0, 3, 1, 2)


class MaskAdapter(BaseModule):
    """CLIP's map and binary masks -> activation maps of each mask, (B,C,h,w) and (B,Q,H,W) -> (B,Q,M,h,w).

    Args:
        clip_dim: C, channels of the CLIP map in the text space.
        mask_channels: channels of the mask's embedding before its last layer.
        width: D.
        num_maps: M.
        num_blocks: ConvNeXt blocks.
    """

    def __init__(
        self,
        *,
        clip_dim: int,
        mask_channels: int = 16,
        width: int = 768,
        num_maps: int = 16,
        num_blocks: int = 3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_maps = num_maps
        quarter = mask_channels // 4
        self.mask_embed = nn.Sequential(
            nn.Conv2d(1, quarter, 3, stride=2, padding=1),
            ChannelNorm(quarter, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(quarter, mask_channels, 3, stride=2, padding=1),
            ChannelNorm(mask_channels, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(mask_channels, clip_dim, 1),
        )
        self.fuse = nn.Conv2d(clip_dim, width, 1)
        self.blocks = nn.ModuleList(ScaledConvNeXtBlock(width) for _ in range(num_blocks))
        self.norm = ChannelNorm(width, eps=1e-6)
        self.maps = nn.Conv2d(width, num_maps, 1)

    def forward(self, dense: Tensor, masks: Tensor) -> Tensor:
        def some(part: Tensor) -> Tensor:
            embedded = self.mask_embed(part.flatten(0, 1)[:, None])
            embedded = F.interpolate(embedded, size=dense.shape[-2:], mode="bilinear", align_corners=False)
            x = self.fuse((embedded.unflatten(0, part.shape[:2]) + dense[:, None]).flatten(0, 1))
            for block in self.blocks:
                x = block(x)
            return self.maps(self.norm(x)).unflatten(0, part.shape[:2])

        if self.training or not masks.shape[1]:
            return some(masks)
        return torch.cat([some(part) for part in masks.split(PROPOSALS_AT_ONCE, dim=1)], dim=1)


def activation_weights(maps: Tensor) -> Tensor:
    """Weights of the pixels that sum to 1, softmax(log sigmoid(maps)), (...,h,w) -> (...,h*w)."""
    return F.logsigmoid(maps.float()).flatten(-2).softmax(dim=-1)


def pool_by_maps(features: Tensor, maps: Tensor) -> Tensor:
    """Weighted means (B,Q,M,C) of features (B,C,h,w) under activation maps (B,Q,M,h,w)."""
    maps = maps.flatten(1, 2)
    if maps.shape[-2:] != features.shape[-2:]:
        maps = F.interpolate(maps, size=features.shape[-2:], mode="bilinear", align_corners=False)
    return activation_weights(maps) @ features.flatten(2).transpose(1, 2).float()


@MODELS.register_module()
class MaskAdapterPooling(CLIPMaskPooling):
    """The out-of-vocabulary branch with Mask-Adapter's maps: each map pools, the CLIP head embeds, their mean counts.

    Needs a backbone with a ``dense`` map in the text space; a ConvNeXt's last map is pooled before its head, any other
    backbone's ``dense`` map as it is.

    Args:
        threshold: probability above which a pixel belongs to a proposal.
        adapter: arguments of ``MaskAdapter`` besides ``clip_dim``.
        clip_dim: channels of ``dense``.
        **kwargs: those of ``CLIPMaskPooling``.
    """

    def __init__(self, *, clip_dim: int, threshold: float = 0.45, adapter: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 0 < threshold < 1:
            raise ValueError(f"threshold is a probability between 0 and 1, got {threshold}")
        self.threshold = threshold
        self.adapter = MaskAdapter(clip_dim=clip_dim, **(adapter or {}))

    def forward(
        self, features: DenseFeatures, mask_logits: Tensor, backbone: DenseBackbone, images: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B,Q,C) of mask logits (B,Q,H,W), and which proposals could be looked at, (B,Q) bool or None."""
        masks = (mask_logits.detach().sigmoid() > self.threshold).to(features.dense.dtype)
        usable = has_pixels(mask_logits, features.grid) if self.valid_only is True else None
        return self.embed_binary(features, masks, backbone), usable

    def embed_binary(self, features: DenseFeatures, masks: Tensor, backbone: DenseBackbone) -> Tensor:
        """Embeddings (B,Q,C) of binary masks (B,Q,H,W), with gradients for the adapter."""
        maps = self.adapter(features.dense, masks)
        if not hasattr(backbone, "embed_pooled"):
            return pool_by_maps(features.dense, maps).unflatten(1, (-1, self.adapter.num_maps)).mean(dim=2)
        source = features.extras.get("final", features.maps[-1])
        pooled = pool_by_maps(source, maps).to(source.dtype)
        return backbone.embed_pooled(pooled).unflatten(1, (-1, self.adapter.num_maps)).mean(dim=2)
