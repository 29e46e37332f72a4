"""A transformer block taken apart, so that its attention can be replaced.

One adapter per block layout: open_clip's (plain and custom), timm's ``Block`` and timm's ``EvaBlock``. The weights stay
in the block; nothing is copied.

Shapes: B images, T tokens, D channels, H heads of d channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.functional.attention import HeadTokens


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, H * d) -> (B, H, T, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, H * d)."""
    return x.transpose(1, 2).flatten(2)


class OpenCLIPBlock:
    """Parts of an open_clip ``ResidualAttentionBlock`` or ``CustomResidualAttentionBlock``."""

    def __init__(self, block: nn.Module) -> None:
        self.block, self.attn = block, block.attn
        self.heads = self.attn.num_heads
        if getattr(self.attn, "logit_scale", None) is not None:
            raise ValueError(
                "open_clip's scaled-cosine attention cannot run (it multiplies 4-D tensors with torch.bmm), "
                "got a model config with scaled_cosine_attn=True"
            )

    def split(self, x: Tensor, grid: tuple[int, int], prefix: int = 1, needs_qk: bool = True, rope=None) -> HeadTokens:
        """First norm and input projections, (B, T, D) -> queries, keys, values in heads."""
        attn, y = self.attn, self.block.ln_1(x)
        weight, bias = attn.in_proj_weight, attn.in_proj_bias
        q = k = None
        if needs_qk:
            q, k, v = (split_heads(part, self.heads) for part in F.linear(y, weight, bias).chunk(3, dim=-1))
            if isinstance(getattr(attn, "ln_q", None), nn.Module):
                q, k = attn.ln_q(q), attn.ln_k(k)
        else:
            width = weight.shape[0] // 3 * 2
            v = split_heads(F.linear(y, weight[width:], None if bias is None else bias[width:]), self.heads)
        return HeadTokens(q=q, k=k, v=v, grid=grid, scale=v.shape[-1] ** -0.5, prefix=prefix, inputs=y)

    def project(self, x: Tensor) -> Tensor:
        """The output projection alone, (B, T, D) -> (B, T, D)."""
        return self.attn.out_proj(x)

    def branch(self, context: Tensor, tokens: HeadTokens) -> Tensor:
        """Averaged values (B, H, T, d) to what the block adds to its input (B, T, D)."""
        attn = self.attn
        if getattr(attn, "head_scale", None) is not None:
            context = context * attn.head_scale
        merged = merge_heads(context)
        if hasattr(attn, "ln_inner"):
            merged = attn.ln_inner(merged)
        y = attn.out_proj(merged)
        if hasattr(self.block, "ln_attn"):
            y = self.block.ln_attn(y)
        return self.block.ls_1(y)

    def mlp(self, x: Tensor) -> Tensor:
        """x + MLP(norm(x))."""
        return x + self.block.ls_2(self.block.mlp(self.block.ln_2(x)))


def apply_variant(
    parts: OpenCLIPBlock, x: Tensor, context: Tensor, tokens: HeadTokens, *, residual: bool, mlp: bool
) -> Tensor:
    """The rest of a block after its attention, (B, T, D) -> (B, T, D); ``x`` is the stream that it adds to."""
    y = parts.branch(context, tokens)
    if residual:
        y = x + y
    return parts.mlp(y) if mlp else y
