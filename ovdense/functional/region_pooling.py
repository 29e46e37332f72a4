"""Region embeddings: mean of the dense features under a box or a mask, and crops around boxes.

Shapes: B images, R regions, C channels, h x w patch grid, H x W image pixels. Boxes are xyxy in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def box_coverage(
    boxes: Tensor, grid: tuple[int, int], stride: float, origin: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """Share of every grid cell that lies in each box, (R,4) -> (R,h,w) in [0, 1].

    Args:
        stride: pixels per cell.
        origin: (left, top) padding that the backbone put before the image, in pixels.
    """
    shift = boxes.new_tensor([origin[0], origin[1], origin[0], origin[1]])
    cells = (boxes + shift) / stride
    rows = _overlap(cells[:, 1], cells[:, 3], grid[0])
    columns = _overlap(cells[:, 0], cells[:, 2], grid[1])
    return rows[:, :, None] * columns[:, None, :]


def _overlap(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Length of the overlap of [start, end] with each of ``length`` unit cells, (R,) -> (R, length)."""
    low = torch.arange(length, device=start.device, dtype=start.dtype)
    return (torch.minimum(end[:, None], low + 1) - torch.maximum(start[:, None], low)).clamp(min=0)


def mask_coverage(
    masks: Tensor, grid: tuple[int, int], stride: int, origin: tuple[int, int] = (0, 0), chunk: int = 64
) -> Tensor:
    """Share of every grid cell that each mask covers, (R,H,W) -> (R,h,w) in [0, 1]; see ``box_coverage``."""
    left, top = origin
    right, bottom = grid[1] * stride - left - masks.shape[2], grid[0] * stride - top - masks.shape[1]
    parts = [
        F.avg_pool2d(F.pad(part.float()[:, None], (left, right, top, bottom)), stride)[:, 0]
        for part in masks.split(chunk)
    ]
    return torch.cat(parts) if parts else masks.new_zeros((0, *grid), dtype=torch.float32)


def pool_regions(features: Tensor, coverage: Tensor) -> Tensor:
    """Mean feature of each region, weighted by coverage, (C,h,w) x (R,h,w) -> (R,C); zero for an empty region."""
    if features.shape[-2:] != coverage.shape[-2:]:
        raise ValueError(
            f"coverage must lie on the {tuple(features.shape[-2:])} grid of the features, "
            f"got {tuple(coverage.shape[-2:])}"
        )
    weights = coverage.flatten(1).to(features.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(features.dtype).eps)
    return weights @ features.flatten(1).T


def mask_boxes(masks: Tensor) -> Tensor:
    """Tight xyxy boxes (R,4) of masks (R,H,W), exclusive ends; zeros for an empty mask."""
    columns, rows = masks.any(1).int(), masks.any(2).int()
    first = columns.argmax(1), rows.argmax(1)
    last = columns.shape[1] - columns.flip(1).argmax(1), rows.shape[1] - rows.flip(1).argmax(1)
    boxes = torch.stack([*first, *last], dim=1).float()
    return boxes * masks.flatten(1).any(1)[:, None]


def align_boxes(features: Tensor, boxes: Sequence[Tensor]) -> Tensor:
    """Mean of the bilinear samples under every box: RoIAlign with a 1 x 1 output, as two small matrix products.

    It equals ``roi_align(output_size=1, sampling_ratio=0, aligned=True)`` (Mask R-CNN, arXiv 1703.06870): a box is
    sampled at ceil(height) x ceil(width) points, and what lies more than one cell outside the map counts as zero.

    Args:
        features: (B,C,h,w).
        boxes: (R_i,4) xyxy in grid cells of each image, not in pixels.

    Returns:
        (R_1 + ... + R_B, C), image after image. It is not normalised: means of unit vectors are shorter than one.

    Raises:
        ValueError: as many groups of boxes as images are needed.
    """
    if len(boxes) != len(features):
        raise ValueError(f"each of the {len(features)} images needs its boxes, got {len(boxes)} groups of boxes")
    height, width = features.shape[-2:]
    parts = [features.new_zeros((0, features.shape[1]))]
    for image, image_boxes in zip(features, boxes):
        x1, y1, x2, y2 = image_boxes.to(features).unbind(1)
        rows, columns = _sample_shares(y1, y2, height), _sample_shares(x1, x2, width)
        by_row = torch.einsum("chw,rw->rch", image, columns)
        parts.append(torch.einsum("rch,rh->rc", by_row, rows))
    return torch.cat(parts)


def _sample_shares(start: Tensor, end: Tensor, length: int) -> Tensor:
    """Weight of each of ``length`` cells in the mean of the samples of [start, end], (R,) -> (R, length)."""
    counts = (end - start).ceil().clamp(min=0)
    index = torch.arange(int(counts.max()) if len(counts) else 0, device=start.device, dtype=start.dtype)
    steps = (end - start) / counts.clamp(min=1)
    places = start[:, None] - 0.5 + (index + 0.5) * steps[:, None]
    counted = (index < counts[:, None]) & (places >= -1) & (places <= length)
    cells = torch.arange(length, device=start.device, dtype=start.dtype)
    shares = (1 - (places.clamp(0, length - 1)[..., None] - cells).abs()).clamp(min=0) * counted[..., None]
    return shares.sum(1) / counts.clamp(min=1)[:, None]


def clip_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (R,4) cut to an image of (H, W) pixels."""
    limit = boxes.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.minimum(boxes.clamp(min=0), limit)


def grow_boxes(boxes: Tensor, factor: float, square: bool = False) -> Tensor:
    """Boxes (R,4) scaled about their centres by ``factor``; ``square`` takes the longer side for both."""
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    if square:
        size = size.amax(dim=1, keepdim=True).expand(-1, 2)
    half = size * factor / 2
    return torch.cat([centre - half, centre + half], dim=1)


def crop_regions(image: Tensor, boxes: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Antialiased crops of one image, (3,H,W) x (R,4) -> (R,3,size,size); the image's edge is repeated beyond it."""
    size = (size, size) if isinstance(size, int) else size
    crops = []
    for x1, y1, x2, y2 in boxes.round().long().tolist():
        columns = torch.arange(x1, max(x2, x1 + 1), device=image.device).clamp(0, image.shape[2] - 1)
        rows = torch.arange(y1, max(y2, y1 + 1), device=image.device).clamp(0, image.shape[1] - 1)
        crop = image[:, rows[:, None], columns[None, :]]
        crops.append(F.interpolate(crop[None], size, mode="bilinear", antialias=True)[0])
    return torch.stack(crops) if crops else image.new_zeros((0, image.shape[0], *size))


def crop_faded(image: Tensor, boxes: Tensor, masks: Tensor, size: int, fade: float) -> Tensor:
    """Crops (R,3,size,size) of one normalised image whose pixels outside each mask (R,H,W) fade to the mean colour.

    Args:
        fade: 0 leaves the surroundings as they are, 1 blots them out: zero is the mean of a normalised image.
    """
    crops = [image.new_zeros((0, image.shape[0], size, size))]
    for box, mask in zip(boxes, masks):
        faded = image * (1 - fade * (1 - mask.to(image)))
        crops.append(crop_regions(faded, box[None], size))
    return torch.cat(crops)


def resize_masks(masks: Tensor, size: tuple[int, int], chunk: int = 64) -> Tensor:
    """Boolean masks (R,H,W) at another size (R, *size), by the bilinear share at one half."""
    if tuple(masks.shape[1:]) == tuple(size) or not len(masks):
        return masks.bool() if len(masks) else masks.new_zeros((0, *size), dtype=torch.bool)
    parts = [
        F.interpolate(part.float()[:, None], size, mode="bilinear", align_corners=False)[:, 0] > 0.5
        for part in masks.split(chunk)
    ]
    return torch.cat(parts)
