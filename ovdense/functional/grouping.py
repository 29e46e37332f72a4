"""Hierarchical grouping of segments: selective search (Uijlings et al., IJCV 2013) with a semantic similarity added.

Shapes: N segments of a label map (H, W), R = 2N - 1 regions of the tree at most, D channels of the dense features.
"""

from __future__ import annotations

import heapq

import numpy as np

BINS = 16


def segment_features(labels: np.ndarray, image: np.ndarray, dense: np.ndarray) -> dict[str, np.ndarray]:
    """What is compared when segments are grouped.

    Args:
        labels: (H, W) integers 0..N-1, every label present.
        image: (H, W, 3) in [0, 1], of a perceptual colour space.
        dense: (D, h, w) dense features on a grid over the image.

    Returns:
        ``size`` (N,) share of the image, ``color`` (N, 48) histograms that sum to 1, ``deep`` (N, D) mean features,
        ``box`` (N, 4) xyxy pixels, ``neighbors`` (P, 2) pairs of touching segments.
    """
    height, width = labels.shape
    count, flat = int(labels.max()) + 1, labels.ravel()
    pixels = np.bincount(flat, minlength=count).astype(np.float64)
    level = np.clip((image * BINS).astype(int), 0, BINS - 1)
    color = [
        np.bincount(flat * BINS + level[..., channel].ravel(), minlength=count * BINS).reshape(count, BINS)
        for channel in range(3)
    ]
    depth, rows, columns = dense.shape
    cell = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
    share = np.bincount(flat * (rows * columns) + cell.ravel(), minlength=count * rows * columns)
    share = share.reshape(count, -1).astype(np.float32) / pixels[:, None].astype(np.float32)
    return dict(
        size=pixels / flat.size,
        color=np.concatenate(color, axis=1) / pixels[:, None] / 3,
        deep=share @ dense.reshape(depth, -1).T.astype(np.float32),
        box=segment_boxes(labels, count),
        neighbors=neighbors(labels),
    )


def segment_boxes(labels: np.ndarray, count: int) -> np.ndarray:
    """Tight boxes (N, 4) xyxy with exclusive ends."""
    height, width = labels.shape
    ys, xs = np.mgrid[:height, :width]
    flat = labels.ravel()
    box = np.stack([np.full(count, width), np.full(count, height), np.zeros(count, int), np.zeros(count, int)], axis=1)
    np.minimum.at(box[:, 0], flat, xs.ravel())
    np.minimum.at(box[:, 1], flat, ys.ravel())
    np.maximum.at(box[:, 2], flat, xs.ravel() + 1)
    np.maximum.at(box[:, 3], flat, ys.ravel() + 1)
    return box


def neighbors(labels: np.ndarray) -> np.ndarray:
    """Pairs (P, 2) of labels that touch, each once, smaller first."""
    sides = ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:]))
    pairs = np.concatenate([np.stack([a[a != b], b[a != b]], axis=1) for a, b in sides])
    pairs.sort(axis=1)
    return np.unique(pairs, axis=0)


def group_segments(
    features: dict[str, np.ndarray], area: int, weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Merges the most similar neighbours until one region is left.

    The similarity is the weighted sum of colour (histogram intersection), meaning (cosine of the dense features), size
    (small first) and fill (compact first).

    Args:
        features: of ``segment_features``.
        area: H * W.
        weights: of colour, meaning, size and fill.

    Returns:
        ``members`` (R, N) bool, the segments of each region, single segments first, and ``boxes`` (R, 4).
    """
    tree = _Tree(features, area, weights)
    queue = [(-tree.similarity(a, b), a, b) for a, b in features["neighbors"].tolist()]
    heapq.heapify(queue)
    while queue:
        _, a, b = heapq.heappop(queue)
        if tree.alive[a] and tree.alive[b]:
            merged = tree.merge(a, b)
            for other in tree.touching[merged]:
                heapq.heappush(queue, (-tree.similarity(other, merged), other, merged))
    return np.stack(tree.members), np.array(tree.box, dtype=np.float32)


class _Tree:
    """Regions that exist so far; ``merge`` adds one."""

    def __init__(self, features: dict[str, np.ndarray], area: int, weights: tuple) -> None:
        count = len(features["size"])
        self.area, self.weights = area, weights
        self.size, self.color, self.deep = (list(features[name]) for name in ("size", "color", "deep"))
        self.norm = [float(np.linalg.norm(row)) + 1e-12 for row in self.deep]
        self.box = [tuple(box) for box in features["box"].tolist()]
        self.members = list(np.eye(count, dtype=bool))
        self.alive = [True] * count
        self.touching: list[set[int]] = [set() for _ in range(count)]
        for a, b in features["neighbors"].tolist():
            self.touching[a].add(b)
            self.touching[b].add(a)

    def similarity(self, a: int, b: int) -> float:
        color, meaning, size, fill = self.weights
        together = self.size[a] + self.size[b]
        x1, y1, x2, y2 = self._union(a, b)
        score = size * (1 - together) + fill * (1 - ((x2 - x1) * (y2 - y1) / self.area - together))
        if color:
            score += color * float(np.minimum(self.color[a], self.color[b]).sum())
        if meaning:
            score += meaning * float(self.deep[a] @ self.deep[b]) / (self.norm[a] * self.norm[b])
        return score

    def merge(self, a: int, b: int) -> int:
        """Adds the union of two regions and takes them away; returns its index."""
        together = self.size[a] + self.size[b]
        share = self.size[a] / together
        for values in (self.color, self.deep):
            values.append(values[a] * share + values[b] * (1 - share))
        self.norm.append(float(np.linalg.norm(self.deep[-1])) + 1e-12)
        self.box.append(self._union(a, b))
        self.members.append(self.members[a] | self.members[b])
        self.size.append(together)
        self.alive[a] = self.alive[b] = False
        self.alive.append(True)
        merged = len(self.size) - 1
        around = (self.touching[a] | self.touching[b]) - {a, b}
        self.touching.append(around)
        for other in around:
            self.touching[other] -= {a, b}
            self.touching[other].add(merged)
        return merged

    def _union(self, a: int, b: int) -> tuple[int, int, int, int]:
        first, second = self.box[a], self.box[b]
        return (
            min(first[0], second[0]),
            min(first[1], second[1]),
            max(first[2], second[2]),
            max(first[3], second[3]),
        )
