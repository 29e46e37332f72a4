"""The decoder of ExCEL (arXiv 2503.20826), learnable visual calibration: all blocks of a frozen CLIP fused.

Shapes: B images, L blocks, D channels of the tower, E of the decoder, K classes, h x w patch grid, N = h * w.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class ExCELHead(BaseModule):
    """Hidden tokens of a ``SurgeryCLIP`` (``captured=True``) -> logits (B,K,h,w).

    Each block has a two-layer perceptron of its own, as in SegFormer's head; the fused map goes through a small
    transformer. Its cosines are the affinities that calibrate the second path of the backbone.

    Args:
        in_channels: D.
        blocks: L.
        num_classes: K, background included.
        embed_dim: E.
        layers, heads: of the transformer.
        gain: factor of the cosines before the sigmoid.
    """

    uses_text = False
    gives_probability = False
    classes, palette = None, None

    def __init__(
        self,
        *,
        in_channels: int,
        blocks: int,
        num_classes: int,
        embed_dim: int = 256,
        layers: int = 3,
        heads: int = 8,
        gain: float = 3.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes, self.gain = num_classes, gain
        self.project = nn.ModuleList(
            nn.Sequential(nn.Linear(in_channels, embed_dim), nn.ReLU(), nn.Linear(embed_dim, embed_dim))
            for _ in range(blocks)
        )
        self.fuse = nn.Linear(blocks * embed_dim, embed_dim)
        layer = nn.TransformerEncoderLayer(
            embed_dim, heads, 4 * embed_dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.classify = nn.Linear(embed_dim, num_classes)

    def fused(self, features: DenseFeatures) -> Tensor:
        """(B,E,h,w) of all blocks."""
        if "hidden" not in features.extras:
            raise ValueError("ExCELHead reads all blocks: use backbone=dict(type='SurgeryCLIP', captured=True)")
        cells = features.grid[0] * features.grid[1]
        hidden = features.extras["hidden"][:, :, -cells:]
        if hidden.shape[1] != len(self.project):
            raise ValueError(f"the backbone has {hidden.shape[1]} blocks, the head is made for {len(self.project)}")
        parts = [project(hidden[:, index]) for index, project in enumerate(self.project)]
        return self.fuse(torch.cat(parts, dim=-1)).transpose(1, 2).unflatten(2, features.grid)

    def logits(self, fused: Tensor) -> Tensor:
        """(B,E,h,w) -> (B,K,h,w)."""
        tokens = self.classify(self.decoder(fused.flatten(2).transpose(1, 2)))
        return tokens.transpose(1, 2).unflatten(2, tuple(fused.shape[-2:]))

    def affinity(self, fused: Tensor) -> Tensor:
        """Affinities (B,N,N) in [0,1] of all patches."""
        unit = F.normalize(fused.flatten(2), dim=1)
        cosine = unit.transpose(1, 2) @ unit
        return ((cosine - cosine.mean(dim=(1, 2), keepdim=True)) * self.gain).sigmoid()

    def forward(self, features: DenseFeatures) -> Tensor:
        """(B,K,h,w)."""
        return self.logits(self.fused(features))
