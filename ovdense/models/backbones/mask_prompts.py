"""Mask prompt tuning: learnt tokens stand where a masked crop shows nothing. OVSeg (arXiv 2210.04150), section 3.3.

Shapes: N crops, L = h * w patches, D channels, M blocks that get prompts, g x g grid that the prompts were learnt on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.position import resize_position_table

INIT_STD = 0.02


def random_prompts(depth: int, cells: int, channels: int) -> Tensor:
    """(M, g * g, D) prompts before training, N(0, 0.02)."""
    return torch.randn(depth, cells, channels) * INIT_STD


def shown_patches(masks: Tensor, patch: int) -> Tensor:
    """Which patches show any pixel of the region, (N,H,W) or (N,1,H,W) -> (N,L,1), 1 or 0.

    Pixels that fill no patch at the right and at the bottom are left out, as the patch convolution leaves them out.
    """
    if masks.ndim not in (3, 4) or (masks.ndim == 4 and masks.shape[1] != 1):
        raise ValueError(f"masks of crops are (N, H, W) or (N, 1, H, W), got {tuple(masks.shape)}")
    shown = F.max_pool2d((masks.reshape(len(masks), 1, *masks.shape[-2:]) > 0).float(), patch)
    return shown.flatten(1)[:, :, None]


@dataclass(frozen=True)
class MaskPrompts:
    """The prompts for one batch.

    Args:
        tables: (M, L, D), one table for the input of each of the first M blocks.
        shown: (N, L, 1) of ``shown_patches``.
    """

    tables: Tensor
    shown: Tensor

    @classmethod
    def of(cls, tables: Tensor, masks: Tensor, patch: int, grid: tuple[int, int], position: str) -> MaskPrompts:
        """Prompts for masks (N,1,H,W); tables of another grid are resized as position tables are."""
        fitted = [resize_position_table(table, grid, position, prefix=0) for table in tables]
        return cls(torch.stack(fitted), shown_patches(masks, patch).to(tables.dtype))

    def replace(self, patches: Tensor, block: int) -> Tensor:
        """Patch tokens (N,L,D) on their way into a block, the hidden ones exchanged for the block's prompts."""
        if block >= len(self.tables):
            return patches
        return patches * self.shown + self.tables[block].to(patches.dtype) * (1 - self.shown)

    def replace_after(self, prefix: int, tokens: Tensor, block: int) -> Tensor:
        """The same for all tokens (N,P+L,D); class and register tokens, which come first, stay."""
        if block >= len(self.tables):
            return tokens
        return torch.cat([tokens[:, :prefix], self.replace(tokens[:, prefix:], block)], dim=1)
