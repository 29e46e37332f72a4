"""SAMBackbone: the image encoder of Segment Anything as patch features without text (arXiv 2304.02643).

Shapes: B images, h x w cells of the picture inside a square of s x s cells, H heads of d channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from timm.layers import resample_abs_pos_embed_nhwc
from timm.models.vision_transformer_sam import VisionTransformerSAM, get_rel_pos
from torch import Tensor, nn

from ovdense.functional.correlation import PatchAttention
from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.dino import create_trunk
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

NORM = partial(nn.LayerNorm, eps=1e-6)  # as the original; timm's SAM has 1e-5


@MODELS.register_module()
class SAMBackbone(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures without ``dense``; ``maps`` holds the neck's output (B, 256, h, w).

    The picture lies in the top left corner of the square that the model was trained on (1024 pixels); the rest is
    zeros, which the encoder sees and the maps leave out.

    Args:
        model: timm name: ``samvit_base_patch16``, ``samvit_large_patch16`` or ``samvit_huge_patch16``.
        pretrained: True for timm's weights (hub), a local file or state dict (timm's, or a whole official checkpoint
            such as ``sam_vit_b_01ec64.pth``), or False for random ones.
        model_options: keyword arguments of ``timm.create_model`` (``depth``, ``img_size`` for tiny models in tests).
        **kwargs: ``padding``, ``frozen`` of ``DenseBackbone``. Nothing can be captured, and there is no
            ``global_embedding``.
    """

    space = None

    def __init__(
        self,
        *,
        model: str = "samvit_base_patch16",
        pretrained: bool | str | Path | Mapping[str, Tensor] = False,
        model_options: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if self.with_global:
            raise ValueError("SAM has no class token: SAMBackbone gives no global embedding, got with_global=True")
        options = {"norm_layer": NORM, **(model_options or {})}
        self.trunk = create_trunk(model, pretrained, options, kinds=(VisionTransformerSAM,))
        self.name, self.embed_dim = model, self.trunk.num_features
        self.image_mean = tuple(self.trunk.pretrained_cfg["mean"])
        self.image_std = tuple(self.trunk.pretrained_cfg["std"])
        self.stride = self.trunk.patch_embed.patch_size[0]
        self.side = self.trunk.patch_embed.img_size[0]
        self._freeze()

    def encode(self, images: Tensor) -> DenseFeatures:
        height, width = self.cells(images)
        maps = self.trunk.neck(self.trunk.blocks(self.embed(images)).permute(0, 3, 1, 2))
        return DenseFeatures(dense=None, maps=(maps[:, :, :height, :width],))

    def cells(self, images: Tensor) -> tuple[int, int]:
        """(h, w) whole cells of the picture.

        Raises:
            ValueError: it does not fit the square.
        """
        height, width = images.shape[-2:]
        if max(height, width) > self.side:
            raise ValueError(
                f"{self.name} sees {self.side} x {self.side} pixels, got {height} x {width}: bring the longer side "
                f"to {self.side} (proxy_size={self.side} of ProxyBackbone, correlation_size of TridentBackbone)"
            )
        return height // self.stride, width // self.stride

    def embed(self, images: Tensor) -> Tensor:
        """Tokens (B, s, s, D) that enter the first block."""
        height, width = images.shape[-2:]
        x = self.trunk.patch_embed(F.pad(images, (0, self.side - width, 0, self.side - height)))
        if self.trunk.pos_embed is not None:
            x = x + resample_abs_pos_embed_nhwc(self.trunk.pos_embed, x.shape[1:3])
        return self.trunk.norm_pre(x)

    def patch_attention(self, images: Tensor) -> PatchAttention:
        """What the last block's patches attend by, (B, 3, H, W) of whole cells; the padding is among the keys."""
        height, width = self.cells(images)
        x = self.embed(images)
        for block in self.trunk.blocks[:-1]:
            x = block(x)
        last = self.trunk.blocks[-1]
        if last.window_size:
            raise ValueError(f"the last block of {self.name} attends in windows; a global one is needed")
        queries, keys, values = biased_heads(last.attn, last.norm1(x))
        side = torch.arange(x.shape[1] * x.shape[2], device=x.device).view(x.shape[1:3])
        places = side[:height, :width].flatten()
        return PatchAttention(queries[:, :, places], keys, values[:, :, places], places, (height, width))


def biased_heads(attn: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of timm's SAM attention, tokens (B, s, t, D) -> (B, H, s * t, ...).

    Relative positions are folded in: the bias of a pair is one term for the key's row and one for its column, so that
    queries carry these terms and keys say where they lie. ``softmax(q k^T)`` is the attention.
    """
    rows, cols = x.shape[1:3]
    q, k, v = attn.qkv(x.flatten(1, 2)).unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    q, k = attn.q_norm(q), attn.k_norm(k)
    if not attn.use_rel_pos:
        return q * attn.scale, k, v
    grid = q.unflatten(2, (rows, cols))
    by_row = torch.einsum("bhyxd,yid->bhyxi", grid, get_rel_pos(rows, rows, attn.rel_pos_h)).flatten(2, 3)
    by_col = torch.einsum("bhyxd,xjd->bhyxj", grid, get_rel_pos(cols, cols, attn.rel_pos_w)).flatten(2, 3)
    place = torch.arange(rows * cols, device=x.device)
    lies = torch.cat([F.one_hot(place // cols, rows), F.one_hot(place % cols, cols)], dim=1).to(k)
    keys = torch.cat([k, lies.expand(*k.shape[:2], -1, -1)], dim=-1)
    return torch.cat([q * attn.scale, by_row, by_col], dim=-1), keys, v
