"""DINOTxtBackbone: a frozen DINO with the vision head that dino.txt (arXiv 2412.16334) trains on it.

Shapes: B images, T = P + h * w tokens (class token, then registers), D channels of the DINO, C of the head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from timm.layers import SwiGLU
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from ovdense.models.backbones.base import to_map
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.backbones.dino import DINOBackbone
from ovdense.models.backbones.transformer import LastBlock
from ovdense.models.dinotxt_checkpoint import Source, read_dinotxt
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

OFFICIAL_NAMES = {"block_list.": "blocks.", ".w1.": ".fc1_g.", ".w2.": ".fc1_x.", ".w3.": ".fc2."}


class VisionHead(nn.Module):
    """(B, T, D) -> (B, T, C): transformer blocks with SwiGLU and layer scale, a norm, and a projection if C is not D.

    Args:
        dim: D.
        num_heads: of the attention; the trunk's.
        num_blocks: blocks; 0 leaves the tokens as they are.
        out_dim: C; None for D without projection.
        drop_path: stochastic depth of the blocks in training.
    """

    def __init__(
        self, dim: int, num_heads: int, num_blocks: int = 2, out_dim: int | None = None, drop_path: float = 0.3
    ) -> None:
        super().__init__()
        hidden = dim * 4 * 2 // 3  # as many weights as an MLP of 4 D, in whole blocks of 64
        hidden += -hidden % 64
        self.blocks = nn.Sequential(
            *(
                Block(
                    dim,
                    num_heads,
                    mlp_ratio=1,
                    init_values=1e-5,
                    drop_path=drop_path,
                    norm_layer=nn.LayerNorm,
                    mlp_layer=partial(_swiglu, width=hidden),
                )
                for _ in range(num_blocks)
            )
        )
        self.ln_final = nn.LayerNorm(dim) if num_blocks else nn.Identity()
        self.linear_projection = nn.Identity() if out_dim is None else nn.Linear(dim, out_dim, bias=False)
        self.out_dim = out_dim or dim

    def forward(self, tokens: Tensor) -> Tensor:
        return self.linear_projection(self.ln_final(self.blocks(tokens)))

    def load(self, tensors: Mapping[str, Tensor], source: str) -> None:
        """Official weights by their official names.

        Raises:
            ValueError: missing or unexpected keys, or other widths.
        """
        renamed = {}
        for key, tensor in tensors.items():
            name = key
            for theirs, ours in OFFICIAL_NAMES.items():
                name = name.replace(theirs, ours)
            renamed[name] = tensor
        load_strictly(self, renamed, f"{source} for the vision head")


def _swiglu(in_features: int, hidden_features: int, width: int, drop: float = 0.0, **kwargs) -> SwiGLU:
    """timm's SwiGLU of a given width, whatever ``mlp_ratio`` comes to."""
    return SwiGLU(in_features, width, drop=drop)


@MODELS.register_module()
class DINOTxtBackbone(DINOBackbone):
    """(B, 3, H, W) -> DenseFeatures in the text space of dino.txt.

    All normed tokens of the DINO go through the vision head. ``dense`` (B, C, h, w) are its patch tokens: they are
    compared with the second half of a text vector (``DINOTxtTextEncoder``). ``global_embedding`` (B, 2 C), on request,
    is [class token; mean of the patches] and goes with the whole vector (``half="both"``).

    Args:
        model: timm name of the DINO, ``vit_large_patch14_reg4_dinov2`` or ``vit_large_patch16_dinov3``.
        pretrained: official dino.txt weights as ``read_dinotxt`` takes them; give the text encoder the same. None for
            a random head.
        trunk_pretrained: weights of the DINO where those files hold none, see ``DINOBackbone``.
        head_blocks: blocks of the vision head.
        out_dim: C, where the head projects; read from the weights where these are given.
        drop_path: of the head's blocks, in training.
        input_size: ``cells`` stretches the image to whole patches, as the official evaluation does.
        interpolation, antialias: of that stretching.
        **kwargs: see ``DINOBackbone``; ``attention`` and the like concern the last block of the DINO.

    Raises:
        ValueError: weights that do not fit; the message lists the keys.
    """

    def __init__(
        self,
        *,
        model: str = "vit_large_patch14_reg4_dinov2",
        pretrained: Source | None = None,
        trunk_pretrained: bool | str | Path | Mapping[str, Tensor] = True,
        head_blocks: int = 2,
        out_dim: int | None = None,
        drop_path: float = 0.3,
        input_size: int | str | None = "cells",
        interpolation: str = "bicubic",
        antialias: bool = False,
        **kwargs,
    ) -> None:
        weights = None if pretrained is None else read_dinotxt(pretrained)
        if weights is not None and weights.trunk:
            trunk_pretrained = weights.trunk
        super().__init__(
            model=model,
            pretrained=trunk_pretrained,
            input_size=input_size,
            interpolation=interpolation,
            antialias=antialias,
            **kwargs,
        )
        if weights is not None:
            head = weights.need("head")
            head_blocks = len({found[1] for key in head if (found := re.match(r"block_list\.(\d+)\.", key))})
            projection = head.get("linear_projection.weight")
            out_dim = None if projection is None else projection.shape[0]
        heads = self.trunk.blocks[0].attn.num_heads
        self.vision_head = VisionHead(self.trunk.embed_dim, heads, head_blocks, out_dim, drop_path)
        if weights is not None:
            self.vision_head.load(head, weights.source)
        self.name, self.embed_dim = f"dino.txt of {model}", self.vision_head.out_dim
        self.space = "dinotxt/random" if weights is None else weights.space
        self.logit_scale = 1 / 0.07 if weights is None else weights.logit_scale
        self._freeze()

    def _features(self, last: LastBlock, *args, **kwargs) -> DenseFeatures:
        features = super()._features(last, *args, **kwargs)
        tokens = self.vision_head(self.final_norm(last.stream))
        patches = tokens[:, self.prefix :]
        whole = torch.cat([tokens[:, 0], patches.mean(dim=1)], dim=-1) if self.with_global else None
        return replace(features, dense=to_map(patches, last.tokens.grid), global_embedding=whole)
