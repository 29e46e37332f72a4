"""Image embeddings whose class token is told by a mask where to look (CLIPSeg, arXiv 2112.10003, section 3.2).

Shapes: B images, T = P + h * w tokens, H heads, C channels of the text space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens, vanilla
from ovdense.models.backbones.base import pad_to_cells
from ovdense.models.backbones.blocks import apply_variant
from ovdense.models.backbones.transformer import TransformerBackbone


def masked_embeddings(
    backbone: TransformerBackbone, images: Tensor, masks: Tensor, *, official_quirks: bool = False
) -> Tensor:
    """Image embeddings (B,C) of images (B,3,H,W) under masks (B,H,W) in 0..1.

    In every block the scores of the class token with the patches are multiplied by the mask before the softmax; a
    patch outside keeps a score of 0, not minus infinity.

    Args:
        official_quirks: as the official code, give head ``h`` of image ``b`` the mask of image ``(b * H + h) % B``,
            which is its own for a single image only.

    Raises:
        ValueError: as many masks as images are needed, of their size.
    """
    if masks.shape != (len(images), *images.shape[-2:]):
        raise ValueError(
            f"{len(images)} images of {tuple(images.shape[-2:])} need masks (B, H, W) of that size, got "
            f"{tuple(masks.shape)}"
        )
    images, _ = pad_to_cells(images.to(backbone.dtype), backbone.stride, backbone.padding)
    masks, _ = pad_to_cells(masks[:, None].to(images), backbone.stride, backbone.padding)
    x, grid, rope = backbone.embed(images)
    weights = F.interpolate(masks, size=grid).flatten(1)
    for block in backbone.blocks():
        parts = backbone.parts(block)
        tokens = parts.split(x, grid, backbone.prefix, rope=rope)
        context = torch.cat([_class_row(tokens, weights, official_quirks), vanilla(tokens)[:, :, 1:]], dim=2)
        x = apply_variant(parts, x, context, tokens, residual=True, mlp=True)
    return backbone.pool(x[:, backbone.global_rows()])


def _class_row(tokens: HeadTokens, weights: Tensor, official_quirks: bool) -> Tensor:
    """What the class token averages, (B,H,1,d), its patch scores multiplied by ``weights`` (B,h*w)."""
    batch, heads = tokens.q.shape[:2]
    scores = tokens.q[:, :, :1] @ tokens.k.transpose(-2, -1) * tokens.scale
    own = weights.repeat(heads, 1).unflatten(0, (batch, heads)) if official_quirks else weights[:, None]
    leading = scores[..., : tokens.prefix]
    scores = torch.cat([leading, scores[..., tokens.prefix :] * own[:, :, None]], dim=-1)
    return scores.softmax(dim=-1) @ tokens.v
