"""Losses of MAFT+ (arXiv 2408.00744): scores that follow the quality of masks, features that stay near CLIP's.

Shapes: B images, Q proposals, K classes, N true segments, C channels, h x w maps, H x W true masks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, bilinear_axis

POD_SCALES = (1, 2, 4)


def mask_quality(mask_logits: Tensor, masks: Tensor) -> Tensor:
    """Soft IoU of every proposal with every true mask, (Q,h,w) x (N,H,W) -> (N,Q) in [0, 1].

    The proposals' probabilities count as if enlarged to the true masks' size (bilinear); as sums of an enlarged map
    are sums of the map with weights, nothing is enlarged.
    """
    chances = mask_logits.float().sigmoid()
    rows, cols = (
        _transposed(bilinear_axis(small, large), chances) for small, large in zip(chances.shape[-2:], masks.shape[-2:])
    )
    shares = rows @ masks.to(chances) @ cols.T
    shared = torch.einsum("qhw,nhw->nq", chances, shares)
    sizes = torch.einsum("qhw,h,w->q", chances, rows.sum(1), cols.sum(1))
    return shared / (masks.flatten(1).sum(1).to(chances)[:, None] + sizes - shared + 1e-7)


def mask_ranking_loss(logits: Tensor, mask_logits: Tensor, labels: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
    """Mask-aware loss: a proposal's probability of a true segment's class shall be how well it covers the segment.

    For each true segment, SmoothL1 between the probability of its class in all proposals and their soft IoU with it,
    stretched to [0, 1] over the proposals. Masks give no gradient.

    Args:
        logits: (B,Q,K) of the classes, without void.
        mask_logits: (B,Q,h,w).
        labels: (N,) of each image.
        masks: (N,H,W) of each image; sizes may differ between images.

    Returns:
        The mean over all (segment, proposal) pairs of the batch; 0 if no image has a segment.
    """
    found, wanted = [], []
    for chances, proposals, label, truth in zip(logits.float().softmax(-1), mask_logits.detach(), labels, masks):
        if not len(label):
            continue
        quality = mask_quality(proposals, truth)
        low, high = quality.amin(1, keepdim=True), quality.amax(1, keepdim=True)
        wanted.append((quality - low) / (high - low + 1e-8))
        found.append(chances[:, label].T)
    if not found:
        return 0 * logits.sum()
    return F.smooth_l1_loss(torch.cat(found), torch.cat(wanted))


def pooled_descriptors(
    features: Tensor, scales: Sequence[int] = POD_SCALES, *, official_quirks: bool = False
) -> Tensor:
    """Sums over lines and over columns of a map's averages at some scales, (B,C,h,w) -> (B,D): POD (arXiv 2004.13513).

    A map that is not square is stretched to its longer side first (bilinear); at scale s it is averaged in windows of
    1/s of the side.

    Args:
        official_quirks: windows of 1/s of the width before it was stretched, as in the code of MAFT+: smaller ones for
            upright pictures.
    """
    height, width = features.shape[-2:]
    side = max(height, width)
    if height != width:
        features = F.interpolate(features, size=(side, side), mode="bilinear", align_corners=False)
    parts = []
    for scale in scales:
        window = max((width if official_quirks else side) // scale, 1)
        pooled = F.avg_pool2d(features, window)
        parts += [pooled.sum(2).flatten(1), pooled.sum(3).flatten(1)]
    return torch.cat(parts, dim=1)


def compensation_loss(
    features: Tensor, teacher: Tensor, scales: Sequence[int] = POD_SCALES, *, official_quirks: bool = False
) -> Tensor:
    """Representation compensation: SmoothL1 between the descriptors of a map (B,C,h,w) and the frozen teacher's.

    Negative values are cut off first. See ``pooled_descriptors`` for the options.
    """
    if features.shape != teacher.shape:
        raise ValueError(f"features are {tuple(features.shape)} but the teacher's {tuple(teacher.shape)}")
    ours, theirs = (
        pooled_descriptors(maps.float().clamp(min=0), scales, official_quirks=official_quirks)
        for maps in (features, teacher.detach())
    )
    return F.smooth_l1_loss(ours, theirs)


def _transposed(axis: AxisMatrix, like: Tensor) -> Tensor:
    """(M,N) dense transpose of an axis of M inputs and N outputs."""
    return axis.dense().to(like).T
