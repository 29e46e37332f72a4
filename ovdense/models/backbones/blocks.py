"""A transformer block taken apart, so that its attention can be replaced.

One adapter per block layout: open_clip's (plain and custom) and timm's (``Block``, ``EvaBlock``, post-norm Eva). The
weights stay in the block; nothing is copied.

Shapes: B images, T tokens, D channels, H heads of d channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from timm.layers import apply_rot_embed_cat
from torch import Tensor, nn

from ovdense.functional.attention import HeadTokens, vanilla
from ovdense.functional.packed_linear import packed_layer, packed_linear


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, H * d) -> (B, H, T, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, d) -> (B, T, H * d)."""
    return x.transpose(1, 2).flatten(2)


def fused_projection(
    y: Tensor, weight: Tensor, bias: Tensor | None, heads: int, needs_qk: bool
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """Queries, keys and values (B, H, T, d) of one (3 D, D) weight; the values alone cost a third."""
    if needs_qk:
        return tuple(split_heads(part, heads) for part in packed_linear(y, weight, bias).chunk(3, dim=-1))
    values = slice(weight.shape[0] // 3 * 2, None)
    return None, None, split_heads(packed_linear(y, weight, bias, values), heads)


def separate_projections(
    y: Tensor, attn: nn.MultiheadAttention, needs_qk: bool
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """The same of three (D, D) weights with a joint bias."""
    weights = (attn.q_proj_weight, attn.k_proj_weight, attn.v_proj_weight)
    biases = (None,) * 3 if attn.in_proj_bias is None else attn.in_proj_bias.chunk(3)
    parts = [
        split_heads(packed_linear(y, weight, bias), attn.num_heads) if needs_qk or index == 2 else None
        for index, (weight, bias) in enumerate(zip(weights, biases))
    ]
    return tuple(parts)


class BlockParts(ABC):
    """The steps of a residual block: ``x + branch(attention(split(x)))``, then ``mlp``."""

    def __init__(self, block: nn.Module) -> None:
        self.block, self.attn = block, block.attn

    @abstractmethod
    def forward(self, x: Tensor, rope: Tensor | None = None) -> Tensor:
        """The block as it is, (B, T, D) -> (B, T, D)."""

    @abstractmethod
    def split(
        self, x: Tensor, grid: tuple[int, int], prefix: int, needs_qk: bool = True, rope: Tensor | None = None
    ) -> HeadTokens:
        """First norm and input projections."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """The output projection alone, (B, T, D) -> (B, T, D)."""

    @abstractmethod
    def branch(self, context: Tensor, tokens: HeadTokens) -> Tensor:
        """Averaged values (B, H, T, d) to what the block adds to its input (B, T, D)."""

    @abstractmethod
    def mlp(self, x: Tensor) -> Tensor:
        """x + MLP(x), with norm and layer scale, (B, T, D) -> (B, T, D)."""

    @property
    @abstractmethod
    def mlp_norm(self) -> nn.Module:
        """The norm whose output enters the MLP."""


def apply_variant(
    parts: BlockParts, x: Tensor, context: Tensor, tokens: HeadTokens, *, residual: bool, mlp: bool
) -> Tensor:
    """The rest of a block after its attention, (B, T, D) -> (B, T, D); ``x`` is the stream that it adds to."""
    y = parts.branch(context, tokens)
    if residual:
        y = x + y
    return parts.mlp(y) if mlp else y


def _is_plain_sequence(module: nn.Module) -> bool:
    """True for layers one after the other, watched by no hook."""
    return type(module) is nn.Sequential and not (module._forward_hooks or module._forward_pre_hooks)


class OpenCLIPBlock(BlockParts):
    """open_clip's ``ResidualAttentionBlock`` and ``CustomResidualAttentionBlock``."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__(block)
        if getattr(self.attn, "logit_scale", None) is not None:
            raise ValueError(
                "open_clip's scaled-cosine attention cannot run (it multiplies 4-D tensors with torch.bmm), "
                "got a model config with scaled_cosine_attn=True"
            )

    def forward(self, x: Tensor, rope: Tensor | None = None) -> Tensor:
        # On a CPU scaled_dot_product_attention is faster than the fast path of nn.MultiheadAttention that block(x)
        # takes: by a fifth at 1,000 tokens.
        tokens = self.split(x, grid=(1, x.shape[1] - 1), prefix=1)
        return apply_variant(self, x, vanilla(tokens), tokens, residual=True, mlp=True)

    def split(
        self, x: Tensor, grid: tuple[int, int], prefix: int, needs_qk: bool = True, rope: Tensor | None = None
    ) -> HeadTokens:
        attn, y = self.attn, self.block.ln_1(x)
        if attn.in_proj_weight is None:  # one weight each, for fine-tuning (``fine_tuning.split_projections``)
            q, k, v = separate_projections(y, attn, needs_qk)
        else:
            q, k, v = fused_projection(y, attn.in_proj_weight, attn.in_proj_bias, attn.num_heads, needs_qk)
        if needs_qk and hasattr(attn, "ln_q"):
            q, k = attn.ln_q(q), attn.ln_k(k)
        return HeadTokens(q=q, k=k, v=v, grid=grid, scale=v.shape[-1] ** -0.5, prefix=prefix, inputs=y)

    def project(self, x: Tensor) -> Tensor:
        return packed_layer(self.attn.out_proj, x)

    def branch(self, context: Tensor, tokens: HeadTokens) -> Tensor:
        attn = self.attn
        if getattr(attn, "head_scale", None) is not None:
            context = context * attn.head_scale
        merged = merge_heads(context)
        if hasattr(attn, "ln_inner"):
            merged = attn.ln_inner(merged)
        y = packed_layer(attn.out_proj, merged)
        if hasattr(self.block, "ln_attn"):
            y = self.block.ln_attn(y)
        return self.block.ls_1(y)

    def mlp(self, x: Tensor) -> Tensor:
        y, mlp = self.block.ln_2(x), self.block.mlp
        if _is_plain_sequence(mlp):
            for layer in mlp:
                y = packed_layer(layer, y)
        else:
            y = mlp(y)
        return x + self.block.ls_2(y)

    @property
    def mlp_norm(self) -> nn.Module:
        return self.block.ln_2


class TimmBlock(BlockParts):
    """timm's ``Block``, ``EvaBlock`` and ``EvaBlockPostNorm``, with rotary embedding, gates and query/key norms."""

    def __init__(self, block: nn.Module) -> None:
        if not hasattr(getattr(block, "attn", None), "proj") or not hasattr(block, "mlp"):
            raise ValueError(f"no way to replace the attention of timm blocks of type {type(block).__name__}")
        super().__init__(block)
        self.post_norm = type(block).__name__ == "EvaBlockPostNorm"

    def forward(self, x: Tensor, rope: Tensor | None = None) -> Tensor:
        return self.block(x) if rope is None else self.block(x, rope=rope)

    def split(
        self, x: Tensor, grid: tuple[int, int], prefix: int, needs_qk: bool = True, rope: Tensor | None = None
    ) -> HeadTokens:
        attn = self.attn
        y = x if self.post_norm else self.block.norm1(x)
        q = k = None
        if attn.qkv is not None:
            bias = attn.qkv.bias
            if getattr(attn, "q_bias", None) is not None:
                bias = torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
            q, k, v = fused_projection(y, attn.qkv.weight, bias, attn.num_heads, needs_qk)
        else:
            if getattr(attn, "num_kv_groups", 1) > 1:
                raise ValueError("no way to replace grouped-query attention: keys have fewer heads than queries")
            v = split_heads(attn.v_proj(y), attn.num_heads)
            if needs_qk:
                q, k = (split_heads(layer(y), attn.num_heads) for layer in (attn.q_proj, attn.k_proj))
        if needs_qk:
            q, k = attn.q_norm(q), attn.k_norm(k)
            if rope is not None:
                q, k = (self._rotate(z, rope, prefix).type_as(v) for z in (q, k))
        return HeadTokens(q=q, k=k, v=v, grid=grid, scale=attn.scale, prefix=prefix, inputs=y)

    def _rotate(self, z: Tensor, rope: Tensor, prefix: int) -> Tensor:
        half = getattr(self.attn, "rotate_half", False)
        return torch.cat([z[:, :, :prefix], apply_rot_embed_cat(z[:, :, prefix:], rope, half=half)], dim=2)

    def project(self, x: Tensor) -> Tensor:
        return self.attn.proj(x)

    def branch(self, context: Tensor, tokens: HeadTokens) -> Tensor:
        attn, merged = self.attn, merge_heads(context)
        merged = attn.norm(merged) if hasattr(attn, "norm") else merged
        if getattr(attn, "gate", None) is not None:
            merged = merged * attn.gate(tokens.inputs).sigmoid()
        y = attn.proj(merged)
        return self.block.norm1(y) if self.post_norm else self._scale(y, 1)

    def mlp(self, x: Tensor) -> Tensor:
        block = self.block
        if self.post_norm:
            return x + block.norm2(block.mlp(x))
        return x + self._scale(block.mlp(block.norm2(x)), 2)

    @property
    def mlp_norm(self) -> nn.Module:
        if self.post_norm:
            raise ValueError("mlp_input: a post-norm block has no norm before its MLP")
        return self.block.norm2

    def _scale(self, y: Tensor, which: int) -> Tensor:
        """The block's layer scale, if it has one."""
        if hasattr(self.block, f"ls{which}"):
            return getattr(self.block, f"ls{which}")(y)
        gamma = getattr(self.block, f"gamma_{which}", None)
        return y if gamma is None else gamma * y
