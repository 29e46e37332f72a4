"""CLIP's attention pool with its one useful query.

Shapes: R maps, T = 1 + h * w tokens with the mean token first, D channels of the maps, E of the text space, H heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def single_query_pool(tokens: Tensor, pool: nn.Module) -> Tensor:
    """Output (R,E) of the pool's first token, from tokens (R,T,D) with their positions added.

    Only the mean token's output is ever used. For one query q the logit of token x is q . (W_k x) = (W_k^T q) . x, the
    key's bias is the same for all tokens and drops out of the softmax, and sum a (W_v x + b) = W_v (sum a x) + b: no
    token is projected. With T = 50 and D = 2048 that is a 35th of the multiply-adds, and the same result.

    Args:
        pool: has the linear layers ``q_proj``, ``k_proj``, ``v_proj``, ``c_proj`` and ``num_heads``.
    """
    regions, _, width = tokens.shape
    heads = pool.num_heads
    per_head = pool.q_proj.out_features // heads
    query = pool.q_proj(tokens[:, 0]).view(regions, heads, per_head).transpose(0, 1) * per_head**-0.5
    direction = torch.bmm(query, pool.k_proj.weight.view(heads, per_head, width)).transpose(0, 1)  # (R,H,D)
    attention = torch.bmm(direction, tokens.transpose(1, 2)).softmax(2)
    mixed = torch.bmm(attention, tokens).transpose(0, 1)  # (H,R,D)
    values = torch.bmm(mixed, pool.v_proj.weight.view(heads, per_head, width).transpose(1, 2))
    values = values.transpose(0, 1).flatten(1) + pool.v_proj.bias
    return pool.c_proj(values)


def pool_tokens(rows: Tensor, positions: Tensor) -> Tensor:
    """Tokens (R,T,D) of rows (R,h*w,D): their mean in front, positions (T,D) added."""
    return torch.cat([rows.mean(1, keepdim=True), rows], dim=1) + positions


def fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution without bias and the frozen batch norm behind it, as one convolution."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return conv.weight * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A 1 x 1 convolution of a map in channels-last memory as one matrix product, (B,D,h,w) -> (B,O,h,w)."""
    return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
