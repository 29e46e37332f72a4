"""A CLIP image embedding as a sum of what each token gave through each head of each layer.

Interpreting CLIP's Image Representation via Text-Based Decomposition (arXiv 2310.05916), section 3. The class token's
stream is a sum of what attention and MLPs wrote into it; the norm behind the last block is affine once the statistics
of the whole stream are fixed, and so is the projection.

Shapes: B images, L layers, H heads, T = 1 + h * w tokens, d channels of a head, D of the tower, C of the text space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.attention import HeadTokens


@dataclass(frozen=True)
class AffineNorm:
    """The final norm and projection with the statistics of the stream that they were applied to.

    Args:
        mean: (B, 1) of the class token before the norm.
        std: (B, 1) square root of variance + epsilon.
        weight: (D,) of the norm.
        bias: (D,) of the norm.
        projection: (D, C).
        length: (B, 1) of the embedding, by which all is divided.
        terms: L attentions, L MLPs and the input: what the constants are shared out among.
    """

    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor
    projection: Tensor
    length: Tensor
    terms: int

    def direct_effect(self, written: Tensor, parts: int = 1) -> Tensor:
        """What a part of the stream (B, ..., D) gives to the unit embedding, (B, ..., C).

        Each term takes an equal share of the constants, and each of its ``parts`` (the tokens and heads of an
        attention) an equal share of that.
        """
        terms = self.terms * parts
        shape = (-1, *[1] * (written.ndim - 2), 1)
        mean, std, length = (value.view(shape) for value in (self.mean, self.std, self.length))
        normed = (written - mean / terms) / std * self.weight + self.bias / terms
        return normed @ self.projection / length


def written_by_heads(weights: Tensor, tokens: HeadTokens, out_weight: Tensor, out_bias: Tensor | None) -> Tensor:
    """What the class token receives from each token through each head, (B, T, H, D).

    The output projection acts on heads side by side, so each head has its own slice of it; its bias is shared out
    evenly among tokens and heads.

    Args:
        weights: (B, H, T, T) attention.
        out_weight: (D, H * d) of the output projection.
        out_bias: (D,) of it.
    """
    moved = weights[:, :, 0, :, None] * tokens.v  # (B,H,T,d)
    heads = tokens.v.shape[1]
    slices = out_weight.unflatten(1, (heads, -1))  # (D,H,d)
    written = torch.einsum("bhtd,chd->bthc", moved, slices)
    return written if out_bias is None else written + out_bias / (tokens.v.shape[2] * heads)


def phrase_heat(effects: Tensor, rows: Tensor, grid: tuple[int, int], prefix: int = 1) -> Tensor:
    """Direct effects of the patches along phrases, summed over layers and heads, (B,L,T,H,C) x (S,C) -> (B,S,h,w)."""
    summed = effects[:, :, prefix:].sum(dim=(1, 3))  # (B,N,C)
    return (summed @ rows.to(summed).T).transpose(1, 2).unflatten(2, grid)


def centred(heat: Tensor) -> Tensor:
    """Heat (B,S,...) less its mean over the phrases; one phrase alone is left as it is."""
    return heat - heat.mean(dim=1, keepdim=True) if heat.shape[1] > 1 else heat


def foreground_map(heat: Tensor) -> Tensor:
    """Negatives cut and each map (..., H, W) stretched to 0..1; all 0 where nothing is positive."""
    positive = heat.clamp(min=0)
    low, high = (positive.flatten(-2).amin(-1), positive.flatten(-2).amax(-1))
    return (positive - low[..., None, None]) / (high - low).clamp(min=1e-12)[..., None, None]
