"""Masks that show the same thing shall have the same embedding. Mask-Adapter (arXiv 2412.04533).

Shapes: Q proposals, N true masks, M matched proposals, C channels, h x w grid of the proposals, H x W of true masks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def match_proposals(proposals: Tensor, masks: Tensor, iou_thr: float, limit: int) -> tuple[Tensor, Tensor]:
    """Proposals that cover a true mask well, best first, and the true mask of each, (M,) and (M,), M <= ``limit``.

    Several proposals may have one true mask. IoU is measured on the proposals' grid, where a true mask has the cells
    of which it covers more than half.

    Args:
        proposals: (Q,h,w) bool.
        masks: (N,H,W) of 0 and 1.
        iou_thr: lowest IoU, in [0, 1].
    """
    if not len(proposals) or not len(masks):
        none = torch.zeros(0, dtype=torch.long, device=proposals.device)
        return none, none
    truth = F.adaptive_avg_pool2d(masks.float(), proposals.shape[-2:]) > 0.5
    ours, theirs = proposals.flatten(1).float(), truth.flatten(1).float()
    shared = ours @ theirs.T
    ious = shared / (ours.sum(1)[:, None] + theirs.sum(1) - shared).clamp(min=1)
    best, partner = ious.max(dim=1)
    order = best.argsort(descending=True, stable=True)[:limit]
    order = order[best[order] >= iou_thr]
    return order, partner[order]


def consistency_loss(first: Tensor, second: Tensor) -> Tensor:
    """1 - cosine of the embeddings (N,C) of matched proposals and of their true masks, averaged; 0 without any."""
    if not len(first):
        return first.sum()
    return (1 - F.cosine_similarity(first, second, dim=-1)).mean()
