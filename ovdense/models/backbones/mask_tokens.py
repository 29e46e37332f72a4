"""Embeddings of regions by class tokens that see nothing else (MaskCLIP, arXiv 2208.08984, section 3.2).

Shapes: B images, Q regions of each, T = P + h * w tokens, C channels of the text space.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ovdense.models.backbones.blocks import apply_variant
from ovdense.models.backbones.transformer import TransformerBackbone


def mask_token_embeddings(backbone: TransformerBackbone, images: Tensor, masks: Tensor) -> Tensor:
    """A copy of the class token for every region attends, in all blocks, to the class token and the region's patches.

    Patches and class token do not see the copies, so they are as without. CLIPSelf's code calls it RoI features ``v1``.

    Args:
        images: (B,3,H,W) of whole cells.
        masks: (B,Q,h,w) of bool on the patch grid.

    Returns:
        (B,Q,C), not normalised.

    Raises:
        ValueError: a backbone without class token, or masks on another grid.
    """
    if backbone.prefix < 1:
        raise ValueError(f"{backbone.name} has no class token to copy: pool its dense features instead")
    x, grid, rope = backbone.embed(images)
    if tuple(masks.shape[-2:]) != tuple(grid):
        raise ValueError(f"masks must lie on the patch grid {tuple(grid)}, got {tuple(masks.shape[-2:])}")
    prefix = backbone.prefix
    copies = x[:, :1].expand(-1, masks.shape[1], -1)
    seen = torch.cat([masks.new_ones(*masks.shape[:2], prefix), masks.flatten(2)], dim=2)[:, None]  # (B,1,Q,T)
    for block in backbone.blocks():
        parts = backbone.parts(block)
        tokens = parts.split(x, grid, prefix, rope=rope)
        looking = parts.split(copies, (1, masks.shape[1]), masks.shape[1])
        scores = (looking.q @ tokens.k.transpose(-2, -1) * tokens.scale).masked_fill(~seen, float("-inf"))
        copies = apply_variant(parts, copies, scores.softmax(-1) @ tokens.v, looking, residual=True, mlp=True)
        x = parts.forward(x, rope)
    return backbone.to_text_space(copies)
