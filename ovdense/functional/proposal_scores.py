"""OVSeg's ensemble of two classifiers of mask proposals, and the rule of its demo.

OVSeg (arXiv 2210.04150), section 3.1. Shapes: Q proposals, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ovdense.functional.fusion import geometric_mean
from ovdense.functional.mask_postprocess import ResizedMasks, as_resized


def ensemble_proposals(proposals: Tensor, regions: Tensor, valid: Tensor, weight: float) -> Tensor:
    """Geometric mean of the probabilities (...,Q,K) of two classifiers, not normalised again.

    Args:
        proposals: of the proposal classifier: softmax over the classes and void, void dropped afterwards.
        regions: of the region CLIP: softmax over the classes, which has never heard of void.
        valid: (...,Q) bool, proposals that the region CLIP could look at; of the others it counts as 1 for every class.
        weight: of the regions, in [0, 1]. 0 has a meaning of its own: the regions alone, and no score at all for
            proposals that are not valid.
    """
    if weight == 0:
        return torch.where(valid[..., None], regions, 0)
    return geometric_mean(proposals, torch.where(valid[..., None], regions, 1), weight)


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


def binary_semantic_bands(
    scores: Tensor, masks: Tensor | ResizedMasks, threshold: float
) -> Iterator[tuple[slice, Tensor]]:
    """(lines, class scores (K,r,W)) from top to bottom of ``binary_semantic_scores``."""
    masks, weights = as_resized(masks), scores.float().T
    for lines, logits in masks.bands(channels=len(weights)):
        yield lines, torch.einsum("kq,qhw->khw", weights, (logits.sigmoid() > threshold).float())


def binary_semantic_scores(scores: Tensor, masks: Tensor | ResizedMasks, threshold: float) -> Tensor:
    """Class scores (K,H,W): sum of the scores (Q,K) of the proposals whose mask probability is above a threshold."""
    return torch.cat([band for _, band in binary_semantic_bands(scores, masks, threshold)], dim=1)


def binary_semantic_labels(scores: Tensor, masks: Tensor | ResizedMasks, threshold: float) -> Tensor:
    """Best class (H,W) int64 by ``binary_semantic_scores``, which never exist at the size of the picture."""
    masks = as_resized(masks)
    labels = torch.zeros(masks.size, dtype=torch.int64, device=scores.device)
    for lines, band in binary_semantic_bands(scores, masks, threshold):
        labels[lines] = band.argmax(dim=0)
    return labels
