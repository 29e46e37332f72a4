"""Crops of regions with everything outside of the region painted over, as OVSeg (arXiv 2210.04150) shows them to CLIP.

Shapes: R regions, H x W pixels of the picture, s x s pixels of a crop. Boxes are xyxy in pixels, their ends exclusive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.region_pooling import mask_boxes


def valid_masks(masks: Tensor) -> Tensor:
    """Which masks (R,H,W) have a pixel at all, (R,) bool."""
    return masks.flatten(1).any(1) if len(masks) else torch.zeros(0, dtype=torch.bool, device=masks.device)


def expand_boxes(boxes: Tensor, ratio: float, size: tuple[int, int]) -> Tensor:
    """Boxes (R,4) grown about their centres to ``ratio`` times their sides, whole pixels inside of (H, W), int64.

    Fractions are cut off, as the official code does; a box never loses its last row or column. An infinite ratio is the
    whole picture.
    """
    if ratio < 1:
        raise ValueError(f"expand is at least 1, the tight box, got {ratio}")
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * ratio / 2
    grown = torch.cat([centre - half, centre + half], dim=1)
    limit = grown.new_tensor([size[1], size[0], size[1], size[0]])
    return torch.minimum(grown.clamp(min=0), limit).long()


def mask_crops(
    image: Tensor,
    masks: Tensor,
    size: int | tuple[int, int],
    *,
    fill: Sequence[float] | Tensor | float | None = 0.0,
    expand: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Crop of every mask's box, resized without regard to its proportions; (3,H,W) x (R,H,W) -> crops and their masks.

    The picture is resized bicubically without antialiasing (``align_corners=False``), the mask by the nearest pixel.

    Args:
        image: one picture; normalised, or of any range.
        masks: bool, none of them empty (``valid_masks``).
        size: of the crops.
        fill: colour of what is outside of the mask, in the picture's range; 0 is the mean of a normalised picture, None
            leaves the surroundings as they are.
        expand: sides of the crop relative to the tight box.

    Returns:
        (R,3,s,s) of the picture's dtype and (R,1,s,s) bool.

    Raises:
        ValueError: an empty mask, or masks of another size than the picture.
    """
    height, width = image.shape[-2:]
    size = (size, size) if isinstance(size, int) else tuple(size)
    if masks.ndim != 3 or tuple(masks.shape[1:]) != (height, width):
        raise ValueError(f"masks must be (R, {height}, {width}) like the picture, got {tuple(masks.shape)}")
    if not len(masks):
        return image.new_zeros((0, len(image), *size)), masks.new_zeros((0, 1, *size), dtype=torch.bool)
    masks = masks.bool()
    if not valid_masks(masks).all():
        raise ValueError("a mask without a pixel has no crop: leave it out, see valid_masks")
    colour = None if fill is None else torch.as_tensor(fill, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
    crops, shown = [], []
    boxes = expand_boxes(mask_boxes(masks), expand, (height, width)).tolist()
    for mask, (left, top, right, bottom) in zip(masks, boxes):
        part = mask[top:bottom, left:right]
        crop = image[:, top:bottom, left:right]
        crop = crop if colour is None else torch.where(part, crop, colour)
        crops.append(F.interpolate(crop[None], size, mode="bicubic", align_corners=False)[0])
        shown.append(F.interpolate(part[None, None].float(), size, mode="nearest")[0] > 0)
    return torch.stack(crops), torch.stack(shown)


def iterate_mask_crops(
    image: Tensor, masks: Tensor, size: int | tuple[int, int], *, chunk: int = 32, **options
) -> Iterator[tuple[Tensor, Tensor]]:
    """``mask_crops`` of ``chunk`` masks at a time, for pictures with hundreds of regions."""
    for part in masks.split(chunk):
        if len(part):
            yield mask_crops(image, part, size, **options)
