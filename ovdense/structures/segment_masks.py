"""Masks of many overlapping regions over one label map of small segments.

Shapes: R regions, N segments, H x W pixels of the label map, h x w patch grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass
class SegmentMasks:
    """R masks, each a union of segments; a thousand nested regions take the memory of one label map.

    Args:
        labels: (H,W) int64, the segment of each pixel.
        members: (R,N) bool, the segments of each region. Indexing selects regions.
        pixel: (height, width) of a pixel of the label map in pixels of the network's input.
    """

    labels: Tensor
    members: Tensor
    pixel: tuple[float, float] = (1.0, 1.0)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index) -> SegmentMasks:
        if isinstance(index, int):
            index = slice(index, index + 1 or None)
        return SegmentMasks(self.labels, self.members[index], self.pixel)

    @staticmethod
    def cat(parts: list[SegmentMasks]) -> SegmentMasks:
        """One set of regions out of several over the same label map."""
        if any(part.labels is not parts[0].labels for part in parts):
            raise ValueError(f"only regions over one label map can be joined, got {len(parts)} different maps")
        return SegmentMasks(parts[0].labels, torch.cat([part.members for part in parts]), parts[0].pixel)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the label map."""
        return self.labels.shape[0], self.labels.shape[1]

    def to_tensor(self, dtype: torch.dtype = torch.bool, device=None) -> Tensor:
        """Masks (R,H,W)."""
        return self.members[:, self.labels].to(dtype=dtype, device=device)

    def coverage(self, grid: tuple[int, int], stride: float, origin: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        """Share of every grid cell that each region covers, (R,h,w) in [0, 1]; pixels count as their centres.

        Args:
            stride: input pixels per cell.
            origin: (left, top) input pixels that the backbone put before the image.
        """
        height, width = self.size
        device = self.labels.device
        rows = ((torch.arange(height, device=device) + 0.5) * self.pixel[0] + origin[1]) / stride
        columns = ((torch.arange(width, device=device) + 0.5) * self.pixel[1] + origin[0]) / stride
        cells = rows.long().clamp(max=grid[0] - 1)[:, None] * grid[1] + columns.long().clamp(max=grid[1] - 1)
        segments = self.members.shape[1]
        flat = self.labels.flatten() * (grid[0] * grid[1]) + cells.flatten()
        counts = torch.bincount(flat, minlength=segments * grid[0] * grid[1]).view(segments, -1).float()
        share = counts / counts.sum(dim=0).clamp(min=1)
        return (self.members.float() @ share).view(len(self), *grid)

    def shared_area(self) -> Tensor:
        """Intersection over the smaller of two regions, (R,R) in [0, 1]."""
        pixels = torch.bincount(self.labels.flatten(), minlength=self.members.shape[1]).float()
        members = self.members.float()
        inter = (members * pixels) @ members.T
        area = inter.diagonal()
        return inter / torch.minimum(area[:, None], area[None, :]).clamp(min=1)

    def resize(self, size: tuple[int, int]) -> Tensor:
        """Masks at another size (R, *size) bool, by the bilinear share at one half."""
        masks = self.to_tensor(torch.float32)
        if not len(masks) or self.size == tuple(size):
            return masks.bool() if len(masks) else masks.new_zeros((0, *size), dtype=torch.bool)
        parts = [F.interpolate(part[:, None], size, mode="bilinear")[:, 0] > 0.5 for part in masks.split(16)]
        return torch.cat(parts)
