"""Pictures of an object as a prompt: its surroundings dimmed, blurred and cut away (CLIPSeg, arXiv 2112.10003).

Shapes: H x W pixels of a normalised RGB picture, masks in 0..1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

KERNEL = 15


def engineer_prompt(
    image: Tensor,
    mask: Tensor,
    *,
    background: float = 0.1,
    blur: float = 3.0,
    context: float | None = 0.1,
    size: int | None = 352,
    official_quirks: bool = False,
) -> Tensor:
    """The picture (3,H,W) of an object, prepared as a prompt, (3,size,size) or (3,H,W) without ``context``.

    Args:
        image: normalised picture; dimmed pixels go towards the mean colour.
        mask: (H,W) where the object is.
        background: what is left of the pixels outside.
        blur: standard deviation of the Gaussian (15 x 15 pixels) outside; 0 for none.
        context: margin around the object's box, as a share of its sides, at which the picture is cut; None leaves it
            whole.
        size: side of the square result of a cut, padded with the mean colour; None for the longer side of the cut.
        official_quirks: bound the box by the height where the width is meant, as the official code does; the same for
            square pictures.

    Raises:
        ValueError: a mask of another size than the picture.
    """
    if image.ndim != 3 or mask.shape != image.shape[-2:]:
        raise ValueError(f"a prompt takes (C,H,W) and a mask (H,W), got {tuple(image.shape)} and {tuple(mask.shape)}")
    mask = mask.to(image)
    outside = gaussian_blur(image, blur) if blur > 0 else image
    image = image * mask + background * outside * (1 - mask)
    if context is None:
        return image
    left, right, top, bottom = object_box(mask, context, official_quirks)
    square = pad_to_square(image[:, top:bottom, left:right])
    return square if size is None else F.interpolate(square[None], (size, size))[0]


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """(C,H,W) under a Gaussian of 15 x 15 pixels, mirrored at the border."""
    distance = torch.arange(KERNEL, dtype=torch.float64) - KERNEL // 2
    kernel = torch.exp(-(distance**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(image)
    half, channels = KERNEL // 2, len(image)
    mirrored = _mirror(_mirror(image, half, 1), half, 2)
    rows = F.conv2d(mirrored[None], kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(rows, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)[0]


def _mirror(image: Tensor, margin: int, dim: int) -> Tensor:
    """The picture with a mirrored margin along one axis, the edge not repeated; any length."""
    length = image.shape[dim]
    place = torch.arange(-margin, length + margin, device=image.device).abs() % max(1, 2 * (length - 1))
    return image.index_select(dim, torch.where(place < length, place, 2 * (length - 1) - place))


def object_box(mask: Tensor, context: float = 0.0, official_quirks: bool = False) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of the pixels above 0 with a margin, ends exclusive; the whole of an empty mask."""
    height, width = mask.shape
    ends = []
    limits = (height, width) if official_quirks else (width, height)
    for dim, length, limit in ((0, width, limits[0]), (1, height, limits[1])):
        line = (mask > 0).any(dim)
        places = torch.nonzero(line).flatten()
        low, high = (0, length) if not len(places) else (int(places[0]), int(places[-1]) + 1)
        if official_quirks:
            high += limit - length
        extent = high - low
        ends += [int(max(0, low - context * extent)), int(min(limit, high + context * extent))]
    return tuple(ends)


def pad_to_square(image: Tensor) -> Tensor:
    """(C,H,W) in the middle of a square of zeros."""
    height, width = image.shape[-2:]
    add_x, add_y = max(0, height - width), max(0, width - height)
    return F.pad(image, (add_x // 2, add_x - add_x // 2, add_y // 2, add_y - add_y // 2))
