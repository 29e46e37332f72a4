"""Class scores of mask proposals from two classifiers, and OVSeg's way from them to pixels.

OVSeg (arXiv 2210.04150), section 3.1. Shapes: Q proposals, V of them with a pixel, K classes (K + 1 with the void
class last), H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.fusion import geometric_mean


def void_cosine_logits(embeddings: Tensor, rows: Tensor, void: Tensor, scale: float = 100.0) -> Tensor:
    """Scaled cosines with the unit class rows and a void row, (...,C) x (S,C) x (1,C) -> (...,S+1); void is last."""
    table = torch.cat([rows.to(embeddings), F.normalize(void, dim=-1).to(embeddings)])
    return scale * F.normalize(embeddings, dim=-1) @ table.T


def proposal_probabilities(logits: Tensor) -> Tensor:
    """Softmax over the classes and void, void dropped afterwards: (Q,K+1) -> (Q,K), rows of a sum below 1."""
    return logits.softmax(dim=-1)[..., :-1]


def ensemble_proposals(proposals: Tensor, regions: Tensor, valid: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """Geometric mean of two classifiers' probabilities.

    Args:
        proposals: (Q,K) of ``proposal_probabilities``.
        regions: (V,K) of the valid proposals only, rows of sum 1: here void has never been a class.
        valid: (Q,) bool, which proposals the regions are; the others count as 1 for every class.
        weight: of the regions, in [0, 1]. 0 has a meaning of its own: the regions alone, without the proposals that
            are not valid.

    Returns:
        (Q',K) scores and the index of their proposals (Q',).
    """
    if int(valid.sum()) != len(regions):
        raise ValueError(f"got {len(regions)} regions for {int(valid.sum())} valid proposals")
    if weight == 0:
        return regions, valid.nonzero().flatten()
    full = torch.ones_like(proposals)
    full[valid] = regions.to(full)
    return geometric_mean(proposals, full, weight), torch.arange(len(valid), device=valid.device)


def keep_best_proposals(scores: Tensor, ignored: int = 0) -> Tensor:
    """Scores (Q,K) of the proposals that are the best of some class; all others 0. The official demo's rule.

    Args:
        ignored: number of classes at the end that choose no proposal.
    """
    kept = torch.zeros_like(scores)
    if len(scores):
        best = scores[:, : scores.shape[1] - ignored].argmax(dim=0)
        kept[best] = scores[best]
    return kept


def blend_masks(scores: Tensor, masks: Tensor) -> Tensor:
    """Sum of the masks (Q,H,W), each weighted by its class scores (Q,K): (K,H,W)."""
    return torch.einsum("qk,qhw->khw", scores, masks)
