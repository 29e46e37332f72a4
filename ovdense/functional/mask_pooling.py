"""Mean features of mask proposals: which pixels of a feature map a proposal owns, and their mean.

Shapes: B images, Q proposals, C channels, h x w feature map, H x W grid of the masks.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def masks_on_grid(mask_logits: Tensor, grid: tuple[int, int]) -> Tensor:
    """The cells of a grid that each proposal owns: bilinear logits above 0, (B,Q,H,W) -> (B,Q,h,w) bool."""
    if mask_logits.ndim != 4:
        raise ValueError(f"mask logits are (B, Q, H, W), got {tuple(mask_logits.shape)}")
    mask_logits = mask_logits.detach()
    if tuple(mask_logits.shape[-2:]) != tuple(grid):
        mask_logits = F.interpolate(mask_logits.float(), size=grid, mode="bilinear", align_corners=False)
    return mask_logits > 0


def pool_masks(features: Tensor, mask_logits: Tensor) -> Tensor:
    """Mean feature of each proposal's cells, (B,C,h,w) x (B,Q,H,W) -> (B,Q,C); zero for a proposal without cells.

    The mask pooling of FC-CLIP (arXiv 2308.02487, section 3.3). Masks give no gradient; half precision is summed in
    float32.
    """
    masks = masks_on_grid(mask_logits, tuple(features.shape[-2:])).flatten(2).float()
    weights = masks / masks.sum(dim=2, keepdim=True).clamp(min=1)
    return (weights @ features.flatten(2).transpose(1, 2).float()).to(features.dtype)


def has_pixels(mask_logits: Tensor, grid: tuple[int, int]) -> Tensor:
    """Whether a proposal owns a cell of the grid, (B,Q,H,W) -> (B,Q) bool."""
    return masks_on_grid(mask_logits, grid).flatten(2).any(dim=2)
