"""From class maps and image tags to pixel labels to learn from: weakly supervised segmentation as in ExCEL.

ExCEL (arXiv 2503.20826), section 3.4; the refinement by attention is that of CLIP-ES (arXiv 2212.09506).

Shapes: h x w patch grid, N = h * w patches, L layers, t tagged classes, H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.pamr import pamr

IGNORE = 255


def patch_affinity_of_layers(attention: Tensor, learnt: Tensor | None = None) -> Tensor:
    """How patches attend on average, (L, N, N) -> (N, N), sharpened by learnt affinities (N, N) in [0, 1].

    With ``learnt`` only the layers that differ less from it than the mean layer are averaged.
    """
    if learnt is None:
        return attention.mean(0)
    gap = (learnt - attention).flatten(1).sum(1)
    return attention[gap <= gap.mean()].mean(0) * learnt


def transition(affinity: Tensor) -> Tensor:
    """A symmetric, nearly doubly stochastic matrix of an affinity (N, N), squared: two steps of a walk."""
    matrix = affinity
    for _ in range(3):
        matrix = matrix / matrix.sum(0, keepdim=True).clamp(min=1e-12)
        matrix = matrix / matrix.sum(1, keepdim=True).clamp(min=1e-12)
    matrix = (matrix + matrix.T) / 2
    return matrix @ matrix


def box_cells(scores: Tensor, threshold: float) -> Tensor:
    """Cells (h, w) bool inside the boxes of the connected parts of ``scores`` above a share of their maximum."""
    shown = (scores > threshold * scores.max()).cpu()
    out, seen = torch.zeros_like(shown), torch.zeros_like(shown)
    for start in torch.nonzero(shown).tolist():
        if seen[tuple(start)]:
            continue
        part, queue = [], [start]
        seen[tuple(start)] = True
        while queue:
            y, x = queue.pop()
            part.append((y, x))
            for cell in [(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
                if 0 <= cell[0] < shown.shape[0] and 0 <= cell[1] < shown.shape[1] and shown[cell] and not seen[cell]:
                    seen[cell] = True
                    queue.append(list(cell))
        rows, columns = zip(*part)
        out[min(rows) : max(rows) + 1, min(columns) : max(columns) + 1] = True
    return out.to(scores.device)


def refine_maps(maps: Tensor, affinity: Tensor, threshold: float = 0.79) -> Tensor:
    """Maps (t, h, w) that flow along an affinity (N, N) out of their own boxes, each stretched to 0..1."""
    walk = transition(affinity)
    refined = []
    for one in maps:
        inside = box_cells(one, threshold).flatten().to(walk)
        refined.append((walk * inside @ one.flatten()).view_as(one))
    refined = torch.stack(refined) if refined else maps
    low, high = refined.flatten(1).amin(1), refined.flatten(1).amax(1)
    return (refined - low[:, None, None]) / (high - low).clamp(min=1e-7)[:, None, None]


def pixel_labels(
    maps: Tensor,
    tags: Tensor,
    image: Tensor,
    background: int | None,
    num_iter: int = 20,
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
) -> Tensor:
    """Labels (H, W) of maps (t, h, w) of the tagged classes (t,), refined by the colours of the image (3, H, W).

    The background, where there is one, scores 1 - the largest map. Without a tag all pixels are background, or ignored.
    """
    size = tuple(image.shape[-2:])
    if not len(tags):
        return torch.full(size, IGNORE if background is None else background, device=image.device)
    full = F.interpolate(maps[None], size, mode="bilinear")
    if background is not None:
        full = torch.cat([1 - full.amax(1, keepdim=True), full], dim=1)
        tags = torch.cat([tags.new_tensor([background]), tags])
    refined = pamr(image[None], full, num_iter, dilations) if num_iter else full
    return tags[refined[0].argmax(0)]


def affinity_truth(labels: Tensor, grid: tuple[int, int], radius: int = 8) -> Tensor:
    """Whether two patches have one label, (B, H, W) -> (B, N, N) of 1 and 0; ``IGNORE`` where unknown or too far."""
    small = F.interpolate(labels[:, None].float(), grid, mode="nearest").flatten(1)
    same = (small[:, :, None] == small[:, None]).long()
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    place = torch.stack([y.flatten(), x.flatten()], dim=1).float().to(labels.device)
    far = torch.cdist(place, place) > radius
    unknown = (small == IGNORE)[:, :, None] | (small == IGNORE)[:, None]
    itself = torch.eye(len(place), dtype=torch.bool, device=labels.device)
    return same.masked_fill(unknown | far | itself, IGNORE)


def affinity_loss(affinity: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of affinities (B, N, N) in [0, 1] from 1 where patches belong together and from 0 elsewhere."""
    same, apart = truth == 1, truth == 0
    pull = (same * (1 - affinity)).sum() / (same.sum() + 1)
    push = (apart * affinity).sum() / (apart.sum() + 1)
    return (pull + push) / 2


def balanced_cross_entropy(logits: Tensor, labels: Tensor, background: int | None) -> Tensor:
    """Cross-entropy (B, K, H, W) x (B, H, W) with foreground and background counted equally; plain without one."""
    if background is None:
        return F.cross_entropy(logits, labels, ignore_index=IGNORE)
    halves = [labels.masked_fill(labels == background, IGNORE), labels.masked_fill(labels != background, IGNORE)]
    losses = [F.cross_entropy(logits, half, ignore_index=IGNORE) for half in halves if (half != IGNORE).any()]
    return torch.stack(losses).mean() if losses else logits.sum() * 0
