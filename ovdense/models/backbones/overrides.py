"""Blocks of a ViT run with another attention than they were trained with, and watched while they run.

Shapes: B images, R regions of one image, T = P + h * w tokens, D channels, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ovdense.functional.attention import HeadTokens
from ovdense.functional.attention_override import (
    AttentionOverride,
    attend_overridden,
    attention_weights,
    class_row_bias,
)
from ovdense.models.backbones.blocks import BlockParts, apply_variant


@dataclass(frozen=True)
class BlockRecord:
    """What one block did.

    Args:
        index: of the block, from 0.
        parts: its steps.
        x: (B, T, D) that entered.
        tokens: queries, keys and values.
        weights: (B, H, T, T) attention.
        attended: (B, T, D) after attention, before the MLP.
        output: (B, T, D) that left.
    """

    index: int
    parts: BlockParts
    x: Tensor
    tokens: HeadTokens
    weights: Tensor
    attended: Tensor
    output: Tensor


Observer = Callable[[BlockRecord], None]


class OverriddenAttention:
    """What a ``TransformerBackbone`` does with other attention; the last block runs as it was trained, too."""

    def run_overridden(
        self,
        images: Tensor,
        overrides: AttentionOverride | Mapping[int, AttentionOverride] | None = None,
        observe: Observer | None = None,
    ) -> Tensor:
        """Image embeddings (B, C) of normalised images (B, 3, H, W) of whole cells.

        Args:
            overrides: for all blocks, or by block (from 0).
            observe: is shown every block, in order.
        """
        x, grid, rope = self.embed(images)
        x = self._run_some(x, grid, rope, 0, len(self.blocks()), overrides, observe)
        return self.pool(x[:, self.global_rows()])

    def region_embeddings(
        self, images: Tensor, override: AttentionOverride, count: int, first_block: int, chunk: int = 32
    ) -> Tensor:
        """Image embeddings under as many overrides as there are regions, (1, 3, H, W) -> (R, C).

        The blocks before ``first_block`` are computed once for all regions.

        Args:
            images: one normalised image of whole cells.
            override: its tensors' first dimension is R or 1.
            count: R.
            first_block: from which the override holds.
            chunk: regions that are computed together.
        """
        if len(images) != 1 or self.prefix < 1:
            raise ValueError(
                f"regions of one image are embedded by a model with a class token, got {len(images)} images and "
                f"{self.prefix} leading tokens"
            )
        x, grid, rope = self.embed(images)
        x = self._run_some(x, grid, rope, 0, first_block)
        out = x.new_zeros((count, self.embed_dim))
        for start in range(0, count, chunk):
            some = slice(start, min(start + chunk, count))
            repeated = x.expand(some.stop - some.start, -1, -1)
            last = self._run_some(repeated, grid, rope, first_block, len(self.blocks()), override[some])
            out[some] = self.pool(last[:, self.global_rows()])
        return out

    def biased_embeddings(self, images: Tensor, bias: Tensor, first_block: int = 8, chunk: int = 32) -> Tensor:
        """Image embeddings whose class token looks where it is told, (1, 3, H, W) x (R, h, w) -> (R, C).

        FALIP (arXiv 2407.05578): ``bias`` is added to the attention logits from the class token to the patches in every
        block from ``first_block`` on.

        Args:
            images: one normalised image of whole cells.
            bias: on the patch grid, one for each region.
            first_block: of a model of 12 blocks; the same relative depth in others.
            chunk: regions that are computed together.
        """
        grid = tuple(side // self.stride for side in images.shape[-2:])
        if tuple(bias.shape[1:]) != grid:
            raise ValueError(f"the bias must lie on the grid {grid}, got {tuple(bias.shape[1:])}")
        if not len(bias):
            return images.new_zeros((0, self.embed_dim))
        override = AttentionOverride(bias=class_row_bias(bias.to(images), self.prefix))
        return self.region_embeddings(images, override, len(bias), self.usual_first(first_block, 12), chunk)

    def usual_first(self, block: int, usual: int) -> int:
        """``block`` of a paper's model of ``usual`` blocks; the same relative depth where that is not there."""
        count = len(self.blocks())
        return block if count <= usual and block < count else block * count // usual

    def _run_some(
        self,
        x: Tensor,
        grid: tuple[int, int],
        rope: Tensor | None,
        first: int,
        stop: int,
        overrides: AttentionOverride | Mapping[int, AttentionOverride] | None = None,
        observe: Observer | None = None,
    ) -> Tensor:
        """Tokens (B, T, D) after the blocks ``first`` to ``stop - 1``."""
        for index, block in enumerate(self.blocks()[first:stop], start=first):
            override = overrides.get(index) if isinstance(overrides, Mapping) else overrides
            parts = self.parts(block)
            if override is None and observe is None:
                x = parts.forward(x, rope)
                continue
            tokens = parts.split(x, grid, self.prefix, rope=rope)
            if observe is None:
                x = apply_variant(parts, x, attend_overridden(tokens, override), tokens, residual=True, mlp=True)
                continue
            weights = attention_weights(tokens, override)
            attended = apply_variant(parts, x, weights @ tokens.target, tokens, residual=True, mlp=False)
            output = parts.mlp(attended)
            observe(BlockRecord(index, parts, x, tokens, weights, attended, output))
            x = output
        return x
