"""DecomposedCLIP: a CLIP ViT whose dense map is what each patch gave to the image embedding.

Text-based decomposition (arXiv 2310.05916).

Shapes: B images, L layers, H heads, T tokens, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ovdense.functional.decomposition import AffineNorm, written_by_heads
from ovdense.models.backbones.clip_vit import CLIPViT
from ovdense.models.backbones.overrides import BlockRecord
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@dataclass(frozen=True)
class DirectEffects:
    """Parts that sum to the unit image embedding.

    Args:
        heads: (B, L, T, H, C) of each token through each head of each layer, class token first.
        mlps: (B, L + 1, C) of what entered the first block at the class token, and of every MLP.
        embedding: (B, C) the image embedding, not normalised.
    """

    heads: Tensor
    mlps: Tensor
    embedding: Tensor


@MODELS.register_module()
class DecomposedCLIP(CLIPViT):
    """A ``CLIPViT`` whose ``dense`` map (B, C, h, w) sums the direct effects of each patch over layers and heads.

    Dot products with unit text rows, not cosines, are the heat of a phrase: ``DecompositionHead``.

    Args:
        last_layers: only the effects of so many layers from the end are summed; None for all.
        kwargs: of ``CLIPViT``; ``attention`` is ``vanilla``.

    Raises:
        ValueError: a tower that does not read its embedding from the class token after a norm.
    """

    def __init__(self, *, last_layers: int | None = None, **kwargs) -> None:
        super().__init__(**{**kwargs, "attention": "vanilla"})
        visual, count = self.visual, len(self.blocks())
        if visual.attn_pool is not None or visual.pool_type != "tok" or not isinstance(visual.ln_post, nn.LayerNorm):
            raise ValueError(
                f"{self.name} cannot be decomposed: its embedding must be the projected class token after a layer norm"
            )
        if last_layers is not None and not 1 <= last_layers <= count:
            raise ValueError(f"last_layers must be 1 to {count} for {self.name}, got {last_layers}")
        self.last_layers = count if last_layers is None else last_layers

    def decompose(self, images: Tensor, layers: Sequence[int] | None = None) -> DirectEffects:
        """Direct effects of normalised images (B, 3, H, W) of whole cells; ``layers`` (from 0) whose heads are kept."""
        layers = range(len(self.blocks())) if layers is None else layers
        heads, mlps, stream = [], [], []

        def watch(record: BlockRecord) -> None:
            if record.index == 0:
                mlps.append(record.x[:, 0])
            if record.index in layers:
                out = record.parts.attn.out_proj
                heads.append(written_by_heads(record.weights, record.tokens, out.weight, out.bias))
            mlps.append((record.output - record.attended)[:, 0])
            stream[:] = [record.output[:, 0]]

        embedding = self.run_overridden(images, observe=watch)
        norm = self._affine(stream[0], embedding)
        parts = torch.stack([norm.direct_effect(part, part.shape[1] * part.shape[2]) for part in heads], dim=1)
        return DirectEffects(parts, norm.direct_effect(torch.stack(mlps, dim=1)), embedding)

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        """The summed effects as a dense map; ``global_embedding`` is always there."""
        count = len(self.blocks())
        grid = tuple(side // self.stride for side in images.shape[-2:])
        effects = self.decompose(images, range(count - self.last_layers, count))
        patches = effects.heads[:, :, self.prefix :].sum(dim=(1, 3))
        return DenseFeatures(
            dense=patches.transpose(1, 2).unflatten(2, grid), global_embedding=effects.embedding, extras={}
        )

    def _affine(self, stream: Tensor, embedding: Tensor) -> AffineNorm:
        """The final norm as it acts on these class tokens (B, D)."""
        norm = self.visual.ln_post
        variance = stream.var(dim=1, keepdim=True, unbiased=False)
        projection = self.visual.proj
        if projection is None:
            projection = torch.eye(stream.shape[1], dtype=stream.dtype, device=stream.device)
        return AffineNorm(
            mean=stream.mean(dim=1, keepdim=True),
            std=(variance + norm.eps).sqrt(),
            weight=norm.weight,
            bias=norm.bias,
            projection=projection,
            length=embedding.norm(dim=1, keepdim=True),
            terms=2 * len(self.blocks()) + 1,
        )
