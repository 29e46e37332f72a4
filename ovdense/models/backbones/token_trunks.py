"""timm trunks made of tokens (VisionTransformer, Eva, hybrids): any image size, whatever size they were built for.

Shapes: B images, T = P + h * w tokens (class and register tokens first), D channels.
"""

from __future__ import annotations

import torch
from timm.layers import Format
from torch import Tensor, nn

from ovdense.functional.position import resize_position_table

TOKEN_MODULES = ("vision_transformer", "eva", "vision_transformer_hybrid", "vitamin", "deit", "beit")


def is_token_trunk(trunk: nn.Module) -> bool:
    """True for trunks whose ``embed_tokens`` and blocks this module knows."""
    return type(trunk).__name__ in ("VisionTransformer", "Eva", "VisionTransformerDistilled")


def allow_any_size(trunk: nn.Module) -> None:
    """Takes the size check off a trunk's patch embedding and lets it give (B, h, w, D)."""
    embed = trunk.patch_embed
    embed.strict_img_size, embed.img_size = False, None
    embed.flatten, embed.output_fmt = False, Format.NHWC


def embed_tokens(trunk: nn.Module, images: Tensor, position: str) -> tuple[Tensor, tuple[int, int], Tensor | None]:
    """Tokens that enter the first block, the patch grid, and the rotary embedding of that grid, if the trunk has one.

    The position table is resized in the given mode; timm's own way is ``gem``.
    """
    patches = trunk.patch_embed(images)
    grid = (patches.shape[1], patches.shape[2])
    x = patches.flatten(1, 2)
    leading = [getattr(trunk, name, None) for name in ("cls_token", "reg_token")]
    leading = [token.expand(len(x), -1, -1).to(x.dtype) for token in leading if token is not None]
    if trunk.pos_embed is not None:
        alone = trunk.no_embed_class  # the table has no rows for class and register tokens
        table = resize_position_table(
            trunk.pos_embed[0],
            grid,
            position,
            prefix=0 if alone else trunk.num_prefix_tokens,
            table_grid=trunk.patch_embed.grid_size,
        ).to(x.dtype)
        x = torch.cat([*leading, x + table], dim=1) if alone else torch.cat([*leading, x], dim=1) + table
    else:
        x = torch.cat([*leading, x], dim=1)
    return trunk.norm_pre(x), grid, rotary_embedding(trunk, grid)


def rotary_embedding(trunk: nn.Module, grid: tuple[int, int]) -> Tensor | None:
    """RoPE of a grid; trunks built for one size keep it in a buffer, which is renewed when the grid changes."""
    rope = getattr(trunk, "rope", None)
    if rope is None:
        return None
    if getattr(trunk, "rope_mixed", False):
        raise ValueError("timm trunks with a rotary embedding per block (rope_type='mixed') are not supported")
    if getattr(rope, "feat_shape", None) is None:
        return rope.get_embed(shape=list(grid))
    if tuple(rope.feat_shape) != tuple(grid):
        rope.update_feat_shape(list(grid))
    return rope.get_embed()
