"""SC-CLIP: anomaly tokens resolved, patches adjusted by mid-level similarity, several levels fused (arXiv 2411.15869).

Shapes: B images, D channels, H heads, d channels of a head, N = h * w patches, P class and register tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens, attend, attention_variant, usual_block

LastBlock = Callable[..., Tensor]


def local_outlier_factor(tokens: Tensor, neighbours: int = 30) -> Tensor:
    """How much thinner the surroundings of each token are than those of its neighbours, (B, N, D) -> (B, N); about 1.

    Mean over the nearest tokens of (own squared distance to the k-th neighbour / theirs), which is what SC-CLIP's local
    reachability density comes to. Where there are fewer than k other tokens, k is their number.
    """
    if neighbours < 1:
        raise ValueError(f"the local outlier factor needs at least 1 neighbour, got {neighbours}")
    count = tokens.shape[1]
    k = min(neighbours, count - 1)
    if k < 1:
        return tokens.new_ones(tokens.shape[:2], dtype=torch.float32)
    tokens = tokens.float()
    distance = torch.cdist(tokens, tokens, compute_mode="donot_use_mm_for_euclid_dist").square()
    distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)  # a token is no neighbour of its own
    nearest, index = distance.topk(k, dim=-1, largest=False)
    reach = nearest[..., -1].clamp(min=torch.finfo(tokens.dtype).tiny)
    theirs = reach[:, None].expand(-1, count, -1).gather(2, index)
    return (reach[..., None] / theirs).mean(dim=-1)


def anomaly_mask(
    tokens: Tensor, grid: tuple[int, int], neighbours: int = 30, share: float = 0.05, official_quirks: bool = False
) -> Tensor:
    """Patches whose outlier factor lies above the (1 - share) quantile of their image, (B, N, D) -> (B, 1, h, w).

    ``official_quirks``: count rows of h cells, as the official code does, which marks other patches where h is not w.
    """
    if not 0 <= share < 1:
        raise ValueError(f"the share of anomalies must be in [0, 1), got {share}")
    score = local_outlier_factor(tokens, neighbours)
    limit = torch.quantile(score, 1 - share, dim=1, keepdim=True)
    anomalies = score > limit
    if official_quirks and grid[0] != grid[1]:
        anomalies = _rows_of_height(anomalies, grid)
    return anomalies.unflatten(1, grid)[:, None]


def _rows_of_height(anomalies: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch n moved to row n // h, column n % h; those that fall off the grid are lost, (B, N) -> (B, N)."""
    h, w = grid
    index = torch.arange(h * w, device=anomalies.device)
    inside = (index // h < h) & (index % h < w)
    moved = torch.zeros_like(anomalies)
    moved[:, (index // h * w + index % h)[inside]] = anomalies[:, inside]
    return moved


def replace_by_neighbours(tokens: Tensor, anomalies: Tensor) -> Tensor:
    """Anomalous patches become the mean of their sound 8-neighbours; those without any stay, (B, N, D) -> (B, N, D)."""
    grid = anomalies.shape[-2:]
    maps = tokens.transpose(1, 2).unflatten(2, grid)
    sound = (~anomalies).to(maps.dtype)
    # The anomaly itself counts 0, so a sum over the 3 x 3 window is one over its neighbours.
    total, count = (
        F.avg_pool2d(x, 3, stride=1, padding=1, divisor_override=1) for x in (maps.masked_fill(anomalies, 0), sound)
    )
    filled = torch.where(anomalies & (count > 0), total / count.clamp(min=1), maps)
    return filled.flatten(2).transpose(1, 2)


def patch_similarity(tokens: Tensor) -> Tensor:
    """Cosines between the patches of an image, (B, N, D) -> (B, N, N)."""
    unit = F.normalize(tokens, dim=-1)
    return unit @ unit.transpose(1, 2)


def aggregate(tokens: Tensor, similarity: Tensor, threshold: float) -> Tensor:
    """Similarity-weighted means of the patches, links below ``threshold`` cut, (B, N, D) -> (B, N, D)."""
    weights = similarity.masked_fill(similarity < threshold, 0)
    return (weights / (weights.sum(dim=-1, keepdim=True) + 1e-6)) @ tokens


def scclip_tail(
    hidden: Sequence[Tensor],
    grid: tuple[int, int],
    prefix: int,
    last_block: LastBlock,
    *,
    neighbours: int = 30,
    share: float = 0.05,
    mid: int | None = None,
    post: int | None = None,
    levels: tuple[int, int] | None = None,
    threshold: float = 0.4,
    gamma: float = 3.0,
    class_weight: float = 0.3,
    official_quirks: bool = False,
) -> Tensor:
    """Patch tokens (B, N, D) that leave the last block, from what left all blocks before it.

    Args:
        hidden: (B, P + N, D) output of every block but the last.
        grid: (h, w).
        prefix: P.
        last_block: ``(patches (B, N, D), similarity=(B, N, N), gamma=...) -> (B, N, D)``, attention only.
        neighbours: k of the local outlier factor.
        share: of the patches that count as anomalies.
        mid: block (from 0) whose similarity adjusts the patches before the last block and serves as its attention; None
            for block 8, see ``usual_block``.
        post: block whose similarity aggregates what the last block gives; None for block 3.
        levels: (first, last + 1) blocks whose summed outputs take a second pass; None for (3, 10).
        threshold: beta, similarities below it are cut.
        gamma: factor of the similarities inside the softmax.
        class_weight: share of the class token that is added to every patch.
        official_quirks: see ``anomaly_mask``.
    """
    mid, post, levels = pick_blocks(len(hidden), mid, post, levels)
    deep = hidden[-1]
    patches = [x[:, prefix:] for x in hidden]
    anomalies = anomaly_mask(patches[-1], grid, neighbours, share, official_quirks)
    similarity = patch_similarity(replace_by_neighbours(patches[mid], anomalies))
    adjusted = aggregate(replace_by_neighbours(patches[-1], anomalies), similarity, threshold)
    several = torch.stack(list(hidden[slice(*levels)])).sum(dim=0)
    shallow = patch_similarity(patches[post])

    def one_pass(x: Tensor, leading: Tensor) -> Tensor:
        y = last_block(x, similarity=similarity, gamma=gamma)
        if prefix:
            y = y + class_weight * leading[:, :1]
        return aggregate(y, shallow, threshold)

    return one_pass(adjusted, deep) + one_pass(several[:, prefix:], several)


def pick_blocks(
    count: int, mid: int | None, post: int | None, levels: tuple[int, int] | None
) -> tuple[int, int, tuple[int, int]]:
    """``mid``, ``post`` and ``levels`` with the defaults filled in, for a model with ``count`` blocks before the last.

    Raises:
        ValueError: blocks that the model does not have.
    """
    mid = usual_block(8, count) if mid is None else mid
    post = usual_block(3, count) if post is None else post
    if levels is None:
        first = usual_block(3, count)
        levels = (first, max(first + 1, usual_block(10, count)))
    first, stop = levels
    if not (0 <= mid < count and 0 <= post < count and 0 <= first < stop <= count):
        raise ValueError(
            f"SC-CLIP's mid={mid}, post={post} and levels={levels} must name blocks 0 to {count - 1}: set them in "
            f"attention_options for a model of {count + 1} blocks"
        )
    return mid, post, levels


@attention_variant("scclip", residual=False, mlp=False, tail=scclip_tail)
def self_calibrated(tokens: HeadTokens, *, similarity: Tensor, gamma: float = 3.0) -> Tensor:
    """Mean of softmax(gamma * (similarity - mean)), negatives cut, and softmax(k k^T). SC-CLIP, eq. 6.

    Args:
        similarity: (B, N, N) cosines of the patches at a middle block; the tokens are the patches alone.
        gamma: inverse temperature.
    """
    logits = (similarity - similarity.mean(dim=(-2, -1), keepdim=True)) * gamma
    weights = logits.masked_fill(logits < 0, float("-inf")).softmax(dim=-1)[:, None].to(tokens.v.dtype)
    return (weights @ tokens.target + attend(tokens.k, tokens.k, tokens)) / 2
