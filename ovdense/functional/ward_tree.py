"""Patches to parts, and parts to a binary tree of segments, by Ward's rule.

Shapes: N patches or parts, D channels, h x w patch grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def grid_neighbours(grid: tuple[int, int]) -> np.ndarray:
    """Pairs (P, 2) of cells that share a side."""
    index = np.arange(grid[0] * grid[1]).reshape(grid)
    across = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=1)
    down = np.stack([index[:-1].ravel(), index[1:].ravel()], axis=1)
    return np.concatenate([across, down])


def ward_merges(
    features: np.ndarray, sizes: np.ndarray | None = None, pairs: np.ndarray | None = None
) -> list[tuple[int, int]]:
    """The merges that join N rows one pair at a time, cheapest first, (N, D) -> [(a, b), ...]; new rows from N on.

    The cost of a merge is the growth of the sum of squared distances to the mean: |a||b| / (|a| + |b|) times the
    squared distance of the means (Ward, 1963).

    Args:
        sizes: (N,) weight of each row; 1 if not given.
        pairs: (P, 2) of rows that may merge, and so may what grew from them; None for all. What stays apart by it is
            left apart, so that there may be fewer than N - 1 merges.
    """
    import heapq

    means = [row.astype(np.float64) for row in features]
    sizes = [1.0] * len(means) if sizes is None else [float(size) for size in sizes]
    if pairs is None:
        pairs = np.stack(np.triu_indices(len(means), 1), axis=1)
    near: list[set[int]] = [set() for _ in means]
    for a, b in np.asarray(pairs).tolist():
        near[a].add(b)
        near[b].add(a)

    def cost(a: int, b: int) -> float:
        gap = means[a] - means[b]
        return sizes[a] * sizes[b] / (sizes[a] + sizes[b]) * float(gap @ gap)

    queue = [(cost(a, b), a, b) for a, row in enumerate(near) for b in row if a < b]
    heapq.heapify(queue)
    alive, merges = [True] * len(means), []
    while queue:
        _, a, b = heapq.heappop(queue)
        if not (alive[a] and alive[b]):
            continue
        alive[a] = alive[b] = False
        merges.append((a, b))
        new, total = len(means), sizes[a] + sizes[b]
        means.append((means[a] * sizes[a] + means[b] * sizes[b]) / total)
        sizes.append(total)
        alive.append(True)
        near.append((near[a] | near[b]) - {a, b})
        for other in near[new]:
            near[other] -= {a, b}
            near[other].add(new)
            heapq.heappush(queue, (cost(other, new), other, new))
    return merges


def cut(merges: Sequence[tuple[int, int]], count: int, parts: int) -> np.ndarray:
    """Labels (N,) 0.. after as many of the merges of ``count`` rows as leave ``parts`` of them."""
    parent = list(range(count + len(merges)))
    for offset, (a, b) in enumerate(merges[: max(0, count - parts)]):
        parent[a] = parent[b] = count + offset
    for node in reversed(range(len(parent))):  # a parent has a higher number than its children
        parent[node] = parent[parent[node]]
    return np.unique(parent[:count], return_inverse=True)[1].reshape(-1)


def node_masks(merges: Sequence[tuple[int, int]], count: int) -> np.ndarray:
    """Which of the ``count`` leaves each node of a tree holds, (count + merges, count) bool, leaves first."""
    rows = list(np.eye(count, dtype=bool))
    for a, b in merges:
        rows.append(rows[a] | rows[b])
    return np.stack(rows)
