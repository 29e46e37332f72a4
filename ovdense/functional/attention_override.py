"""Attention that is told where to look: a bias, a mask, or any rule of a method, for some blocks of a ViT.

Shapes: B images or regions, H heads, T = P + h * w tokens, the P class and register tokens first, d channels a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens


@dataclass(frozen=True)
class AttentionOverride:
    """How a block attends, instead of softmax(q k^T).

    Args:
        bias: added to the logits; broadcasts to (B, H, T, T), its first dimension is B or 1.
        mask: weights >= 0 that multiply exp(logits) before each row is brought back to the sum 1; same shape as
            ``bias``. Every row must keep a token.
        rule: ``(weights, plain) -> weights``, both (B, H, T, T): a method's own last word, given the weights with and
            without bias and mask. Rows need not sum to 1.
    """

    bias: Tensor | None = None
    mask: Tensor | None = None
    rule: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def log_bias(self) -> Tensor | None:
        """Bias and mask as one term of the logits: a factor of exp(x) is the logarithm added to x."""
        log_mask = None if self.mask is None else self.mask.log()
        return log_mask if self.bias is None else self.bias if log_mask is None else self.bias + log_mask

    def __getitem__(self, index: slice) -> AttentionOverride:
        """The override of some images or regions of the batch."""

        def some(tensor: Tensor | None) -> Tensor | None:
            return tensor if tensor is None or len(tensor) == 1 else tensor[index]

        return AttentionOverride(some(self.bias), some(self.mask), self.rule)


def attention_weights(tokens: HeadTokens, override: AttentionOverride | None = None) -> Tensor:
    """The weights (B, H, T, T) of the usual attention, as the override changes them."""
    logits = tokens.q @ tokens.k.transpose(-2, -1) * tokens.scale
    extra = None if override is None else override.log_bias
    weights = (logits if extra is None else logits + extra.to(logits)).softmax(dim=-1)
    if override is None or override.rule is None:
        return weights
    return override.rule(weights, weights if extra is None else logits.softmax(dim=-1))


def attend_overridden(tokens: HeadTokens, override: AttentionOverride | None = None) -> Tensor:
    """Values averaged by ``attention_weights``, (B, H, T, d); the weights are only made where a rule wants them."""
    if override is not None and override.rule is not None:
        return attention_weights(tokens, override) @ tokens.target
    extra = None if override is None else override.log_bias
    extra = None if extra is None else extra.to(tokens.q.dtype)
    return F.scaled_dot_product_attention(tokens.q, tokens.k, tokens.target, attn_mask=extra, scale=tokens.scale)


def class_row_bias(maps: Tensor, prefix: int = 1) -> Tensor:
    """A bias on the patches, (R, h, w), for the class token alone: (R, 1, T, T)."""
    length = prefix + maps[0].numel()
    bias = maps.new_zeros((len(maps), 1, length, length))
    bias[:, 0, 0, prefix:] = maps.flatten(1)
    return bias


def key_mask(maps: Tensor, prefix: int = 1) -> Tensor:
    """A mask of the patches that may be looked at, (R, h, w), leading tokens always: (R, 1, 1, T)."""
    leading = maps.new_ones((len(maps), prefix))
    return torch.cat([leading, maps.flatten(1)], dim=1)[:, None, None]
