"""A picture as a binary tree of segments, by clustering what a self-supervised model sees.

Shapes: M patches of the model's grid h x w, S leaves, N = 2 S - 1 nodes at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.ward_tree import cut, grid_neighbours, node_masks, ward_merges
from ovdense.registry import MODELS


@dataclass(frozen=True)
class SegmentTree:
    """Segments of one picture.

    Args:
        labels: (h, w) leaf of each patch, 0..S-1.
        children: the two nodes that each inner node joins, nodes from S on.
        members: (N, S) bool, the leaves of each node, leaves first.
    """

    labels: Tensor
    children: list[tuple[int, int]]
    members: Tensor

    @property
    def leaves(self) -> int:
        return self.members.shape[1]

    def node_masks(self, grid: tuple[int, int]) -> Tensor:
        """(N, h', w') of 0 and 1 on another grid: cells that a node covers by half, its best cell at least."""
        shown = F.one_hot(self.labels, self.leaves).permute(2, 0, 1).float()
        share = torch.einsum("nl,lhw->nhw", self.members.to(shown), F.interpolate(shown[None], grid, mode="area")[0])
        best = share.flatten(1).amax(1)[:, None, None]
        return ((share >= 0.5) | (share >= best)).float()


@MODELS.register_module()
class WardTree(BaseModule):
    """Pictures -> ``SegmentTree``, by Ward clustering of the keys of a DINO (zero-guidance segmentation, step 1).

    Patches that touch are joined first, up to ``superpatches`` parts, which keeps large grids fast; then the most alike
    parts, wherever they lie, up to ``leaves``; what follows is the tree.

    Args:
        backbone: config of a ``DINOBackbone``; its keys are captured, its grid covers the picture.
        scale: pictures are enlarged so many times for it, which makes its grid finer.
        leaves: parts at most, 20 in the paper.
        superpatches: parts at which clustering stops to ask for neighbours.
    """

    def __init__(
        self, *, backbone: dict, scale: float = 1.0, leaves: int = 20, superpatches: int = 200, init_cfg=None
    ) -> None:
        super().__init__(init_cfg)
        if leaves < 1 or superpatches < leaves:
            raise ValueError(f"superpatches must be at least leaves, and those 1, got {superpatches} and {leaves}")
        self.backbone = MODELS.build({"input_size": "cells", **backbone, "capture": ("k",)})
        self.scale, self.leaves, self.superpatches = scale, leaves, superpatches
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[SegmentTree]:
        """Trees of images (B, 3, H, W) that are normalised for the backbone; the grids cover them."""
        if self.scale != 1:
            images = F.interpolate(images, scale_factor=self.scale, mode="bilinear")
        keys = F.normalize(self.backbone(images).extras["k"].float(), dim=1)
        return [self.tree_of(one.cpu()) for one in keys]

    def tree_of(self, keys: Tensor) -> SegmentTree:
        """The tree of one picture's unit keys (D, h, w)."""
        grid = tuple(keys.shape[-2:])
        rows = keys.flatten(1).T.numpy()
        merges = ward_merges(rows, pairs=grid_neighbours(grid))
        small = cut(merges, len(rows), self.superpatches)
        means, sizes = part_means(rows, small)
        joined = ward_merges(means, sizes)
        labels = cut(joined, len(means), self.leaves)[small]
        means, sizes = part_means(rows, labels)
        children = ward_merges(means, sizes)
        members = torch.from_numpy(node_masks(children, len(means)))
        return SegmentTree(torch.from_numpy(labels).long().view(grid), children, members)


def part_means(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean row (S, D) and number of rows (S,) of each label."""
    shown = np.eye(int(labels.max()) + 1, dtype=np.float64)[labels]
    sizes = shown.sum(0)
    return shown.T @ rows / sizes[:, None], sizes
