"""SurgeryCLIP: a CLIP ViT whose patches run through a second path of self-self attention.

CLIP Surgery (arXiv 2304.05653), as ExCEL (arXiv 2503.20826) uses it: static and learnable visual calibration.

Shapes: B images, L blocks, T = P + h * w tokens, D channels, C channels of the text space.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.attention_override import attention_weights
from ovdense.functional.attention_surgery import patch_links, self_attention_sum
from ovdense.models.backbones.base import to_map
from ovdense.models.backbones.blocks import apply_variant
from ovdense.models.backbones.clip_vit import CLIPViT
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@dataclass(frozen=True)
class SurgeryTokens:
    """What a surgery ViT gives for a batch.

    Args:
        tokens: (B, T, C) class token of the ordinary path, patches of the second one, in the text space.
        hidden: (B, L, T, D) what left each block of the ordinary path.
        attention: (B, L, T, T) of the ordinary path, mean over heads; with ``official_quirks`` the sum over heads in
            blocks with a second path.
    """

    tokens: Tensor
    hidden: Tensor
    attention: Tensor


@MODELS.register_module()
class SurgeryCLIP(CLIPViT):
    """A ``CLIPViT`` whose last ``depth`` blocks have a second path without MLPs, from which ``dense`` is taken.

    Args:
        depth: blocks with a second path; the paper takes 5 of 12. Fewer in models of fewer blocks.
        captured: keep ``hidden`` (B, L, T, D), ``block_attention`` (B, L, T, T) and ``surgery_tokens`` (B, T, C) in
            ``extras``, for a head that learns.
        kwargs: of ``CLIPViT``; ``attention`` is ``vanilla``.
    """

    def __init__(self, *, depth: int = 5, captured: bool = False, **kwargs) -> None:
        super().__init__(**{"position": "bilinear", **kwargs, "attention": "vanilla"})
        count = len(self.blocks())
        if depth < 1:
            raise ValueError(f"depth of the second path must be at least 1, got {depth}")
        self.depth, self.captured = min(depth, count), captured

    def surgery(self, images: Tensor, learnt: Tensor | None = None) -> SurgeryTokens:
        """Both paths of normalised images (B, 3, H, W) of whole cells.

        Args:
            learnt: (B, E, h, w) features of a decoder whose likeness links patches of the second path (LVC).
        """
        x, grid, rope = self.embed(images)
        links = None if learnt is None else patch_links(learnt, per_image=not self.official_quirks)
        first, second = len(self.blocks()) - self.depth, None
        hidden, attention, attended = [], [], []
        for index, block in enumerate(self.blocks()):
            parts = self.parts(block)
            tokens = parts.split(x, grid, self.prefix, rope=rope)
            plain = attention_weights(tokens)
            if index >= first:
                weights = self_attention_sum(tokens, links)
                second = apply_variant(
                    parts, x if second is None else second, weights @ tokens.v, tokens, residual=True, mlp=False
                )
            attention.append(plain.sum(dim=1) if self.official_quirks and index >= first else plain.mean(dim=1))
            middle = apply_variant(parts, x, plain @ tokens.v, tokens, residual=True, mlp=False)
            attended.append(middle)
            x = parts.mlp(middle)
            hidden.append(x)
        joined = torch.cat([x[:, : self.prefix], second[:, self.prefix :]], dim=1)
        if self.official_quirks:
            hidden = overwritten(hidden, attended, joined, first)
        return SurgeryTokens(self.to_text_space(joined), torch.stack(hidden, dim=1), torch.stack(attention, dim=1))

    def encode(self, images: Tensor, learnt: Tensor | None = None, **options) -> DenseFeatures:
        """Dense features of the second path."""
        found = self.surgery(images, learnt)
        grid = tuple(side // self.stride for side in images.shape[-2:])
        extras = dict(hidden=found.hidden, block_attention=found.attention, surgery_tokens=found.tokens)
        return DenseFeatures(
            dense=to_map(found.tokens[:, self.prefix :], grid),
            global_embedding=found.tokens[:, 0],
            extras=extras if self.captured else {},
        )


def overwritten(hidden: list[Tensor], attended: list[Tensor], joined: Tensor, first: int) -> list[Tensor]:
    """``hidden`` as the official code hands it on: it adds in place to tensors that it has already put into its list.

    The last block before the second path then holds that path's end, and each block of the second part but the last
    holds what its successor made of it before the MLP.
    """
    changed = list(hidden)
    if first > 0:
        changed[first - 1] = joined
    for index in range(first, len(hidden) - 1):
        changed[index] = attended[index + 1]
    return changed
