"""Class rows enriched by described attributes, and maps of classes without what they share.

ExCEL (arXiv 2503.20826), section 3.2: text semantic enrichment. CLIP Surgery (arXiv 2304.05653), section 3.3.

Shapes: K classes, A attributes, B images, T tokens (class token first), C channels of the text space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cluster_attributes(rows: Tensor, count: int, iterations: int = 100, seed: int = 0) -> Tensor:
    """Centres (A, C) of k-means over description rows (N, C), begun by k-means++; all rows where N <= A.

    The result depends on ``seed`` alone; it is not bit by bit what scikit-learn finds.
    """
    if count < 1:
        raise ValueError(f"attributes are 1 or more clusters, got {count}")
    if len(rows) <= count:
        return rows.clone()
    generator, rows = torch.Generator().manual_seed(seed), rows.double().cpu()
    chosen = [int(torch.randint(len(rows), (1,), generator=generator))]
    nearest = (rows - rows[chosen[0]]).square().sum(1)
    while len(chosen) < count:
        weights = nearest if nearest.sum() > 0 else torch.ones_like(nearest)
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        nearest = torch.minimum(nearest, (rows - rows[chosen[-1]]).square().sum(1))
    centres, labels = rows[chosen], None
    for _ in range(iterations):
        new = torch.cdist(rows, centres).argmin(1)
        if labels is not None and torch.equal(new, labels):
            break
        labels, shown = new, F.one_hot(new, count).double()
        filled = shown.sum(0) > 0
        centres[filled] = (shown.T @ rows)[filled] / shown.sum(0)[filled, None]
    return centres.float()


def enrich_rows(rows: Tensor, attributes: Tensor, keep: float = 0.9) -> Tensor:
    """Class rows plus their attention over attributes, (K, C) x (A, C) -> unit rows (K, C). ExCEL, eq. 3 and 4.

    Args:
        keep: share of the attributes that a class looks at; the least alike, int((1 - keep) A) of them, get nothing.
    """
    scores = rows @ attributes.T
    dropped = int((1 - keep) * len(attributes))
    if dropped:
        index = scores.topk(dropped, dim=1, largest=False).indices
        scores = scores.scatter(1, index, float("-inf"))
    return F.normalize(scores.softmax(dim=1) @ attributes + rows, dim=1)


def normalise_tokens(tokens: Tensor, official_quirks: bool = False) -> Tensor:
    """Tokens (B, T, C) of unit length; with ``official_quirks`` divided by the norm of each channel over the tokens."""
    return F.normalize(tokens, dim=1 if official_quirks else 2)


def surgery_maps(tokens: Tensor, rows: Tensor, temperature: float = 2.0) -> Tensor:
    """What each token says of a class beyond what it says of all, (B, T, C) x (K, C) -> (B, T, K) in 0..1.

    Classes that the class token finds count more; the element-wise products less their mean over the classes are summed
    and each map is stretched to its extremes over the tokens.
    """
    share = (temperature * tokens[:, :1] @ rows.T).softmax(dim=-1)  # (B,1,K)
    weight = share / share.mean(dim=-1, keepdim=True)
    scores = (tokens @ rows.T) * weight
    scores = scores - scores.mean(dim=-1, keepdim=True)
    low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
    return (scores - low) / (high - low).clamp(min=1e-12)
