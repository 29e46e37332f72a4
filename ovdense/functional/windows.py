"""Sliding windows: where they lie, and what upsampling, averaging and resizing them comes to on each axis.

The windows of an image form a product grid, so the whole protocol (upsample every window's patch logits to its crop,
cut the crop's padding away, add, divide by the count, cut the image's padding away, resize) is
``rows @ stacked @ cols.T`` with the windows' patch grids stacked side by side.

Shapes: ny x nx windows of an image, h x w patches of a window; stacked logits (B, S, ny * h, nx * w).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, bilinear_axis


def window_positions(length: int, crop: int, stride: int) -> list[int]:
    """First pixel of every window along an axis, as mmseg places them: the last window is shifted back to fit.

    A window longer than the axis is cut to it (one window at 0).
    """
    if min(length, crop, stride) < 1:
        raise ValueError(f"length, crop and stride must be positive, got {length}, {crop} and {stride}")
    count = max(length - crop + stride - 1, 0) // stride + 1
    return [max(min(i * stride + crop, length) - crop, 0) for i in range(count)]


def window_boxes(
    size: tuple[int, int], crop: int | tuple[int, int], stride: int | tuple[int, int]
) -> list[tuple[int, int, int, int]]:
    """(x1, y1, x2, y2) of every window of an image of ``size`` (H, W), row by row; crop and stride: (H, W) or one."""
    (crop_y, crop_x), (stride_y, stride_x) = _pair(crop), _pair(stride)
    height, width = size
    return [
        (x, y, min(x + crop_x, width), min(y + crop_y, height))
        for y in window_positions(height, crop_y, stride_y)
        for x in window_positions(width, crop_x, stride_x)
    ]


def crop_windows(images: Tensor, crop: int | tuple[int, int], stride: int | tuple[int, int]) -> Tensor:
    """All windows of a batch, (B, C, H, W) -> (ny * nx * B, C, crop_h, crop_w), window by window, batch inside."""
    boxes = window_boxes(tuple(images.shape[-2:]), crop, stride)
    return torch.cat([images[..., y1:y2, x1:x2] for x1, y1, x2, y2 in boxes])


def window_maps(maps: Tensor, origin: tuple[float, float], grid: tuple[int, int]) -> Tensor:
    """A window's part of the maps of whole pictures, (B, C, H, W) -> (B, C, *grid): bilinear, a plain slice on cells.

    Args:
        origin: (top, left) of the window in cells, fractions allowed.
        grid: (rows, columns) of the window; what lies beyond the map repeats its edge.
    """
    for dim, start, cells in ((-2, origin[0], grid[0]), (-1, origin[1], grid[1])):
        length = maps.shape[dim]
        place = (torch.arange(cells, device=maps.device) + start).clamp(0, length - 1)
        low = place.floor().long()
        high = (low + 1).clamp(max=length - 1)
        share = (place - low).to(maps.dtype)
        share = share[:, None] if dim == -2 else share
        maps = maps.index_select(dim, low) * (1 - share) + maps.index_select(dim, high) * share
    return maps


def stack_windows(logits: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch logits of the windows side by side, (ny * nx * B, S, h, w) -> (B, S, ny * h, nx * w).

    Args:
        logits: in the order of ``crop_windows``.
        grid: (ny, nx), the numbers of window positions.
    """
    ny, nx = grid
    if logits.shape[0] % (ny * nx):
        raise ValueError(f"{ny} x {nx} windows per image do not divide a batch of {logits.shape[0]} windows")
    _, phrases, h, w = logits.shape
    return logits.view(ny, nx, -1, phrases, h, w).permute(2, 3, 0, 4, 1, 5).reshape(-1, phrases, ny * h, nx * w)


@lru_cache(maxsize=64)
def window_axis_matrix(
    length: int,
    crop: int,
    stride: int,
    patches: int,
    *,
    crop_padding: tuple[int, int] = (0, 0),
    image_padding: tuple[int, int] = (0, 0),
    output: int | None = None,
    align_corners: bool = False,
    dtype: torch.dtype = torch.float32,
) -> AxisMatrix:
    """One axis of a sliding protocol: stacked window patches -> output pixels.

    Args:
        length: pixels of the image along the axis, with its padding.
        crop, stride: of the windows in pixels; a crop beyond ``length`` is cut to it.
        patches: patches of one window along the axis.
        crop_padding: (before, after) pixels that the backbone added to a window; its patches cover them too.
        image_padding: (before, after) pixels of the image that are no part of the picture: cut away after averaging.
        output: pixels to which the picture is resized last; default: no resize.
        align_corners: of both resizes.
        dtype: of the logits, float32 or float64.

    Returns:
        (output, windows * patches) matrix whose rows are averages.
    """
    positions = window_positions(length, crop, stride)
    crop = min(crop, length)
    before, after = crop_padding
    upsample = bilinear_axis(patches, before + crop + after, align_corners=align_corners, dtype=dtype)
    upsample = upsample[slice(before, before + crop)]
    average = _average_axis(positions, crop, length, dtype)
    # Position w * crop + p of the windows' pixels reads patch index + w * patches.
    count = len(positions)
    shift = (torch.arange(count) * patches)[:, None, None]
    stacked = AxisMatrix(
        (upsample.index + shift).flatten(0, 1), upsample.weight.repeat(count, 1), size_in=count * patches
    )
    matrix = average.after(stacked)
    picture = length - sum(image_padding)
    matrix = matrix[slice(image_padding[0], image_padding[0] + picture)]
    if output is not None:
        matrix = bilinear_axis(picture, output, align_corners=align_corners, dtype=dtype).after(matrix)
    return matrix


def _average_axis(positions: list[int], crop: int, length: int, dtype: torch.dtype) -> AxisMatrix:
    """(length, windows * crop): the mean of the windows' pixels at every pixel of the image."""
    pixel = torch.arange(length)[:, None]
    inside = pixel - torch.tensor(positions)[None]
    covered = (inside >= 0) & (inside < crop)
    count = covered.sum(1, keepdim=True)
    if bool((count == 0).any()):
        raise ValueError(f"windows of {crop} pixels at {positions} leave pixels out: choose a stride of at most {crop}")
    taps = int(count.max())
    order = (~covered).long().sort(dim=1, stable=True).indices[:, :taps]
    index = (inside + torch.arange(len(positions))[None] * crop).gather(1, order)
    used = covered.gather(1, order)
    weight = torch.where(used, 1.0 / count.to(dtype), torch.zeros((), dtype=dtype))
    return AxisMatrix(torch.where(used, index, index[:, :1]), weight, size_in=len(positions) * crop)


def whole_axis_matrix(
    length: int,
    patches: int,
    *,
    padding: tuple[int, int] = (0, 0),
    output: int | None = None,
    align_corners: bool = False,
    dtype: torch.dtype = torch.float32,
) -> AxisMatrix:
    """One axis of whole inference: patches of a (padded) image -> its pixels, padding cut away -> ``output`` pixels.

    ``length`` counts the pixels without padding; ``padding`` (before, after) was added by the backbone or preprocessor.
    """
    return window_axis_matrix(
        length, length, length, patches, crop_padding=padding, output=output, align_corners=align_corners, dtype=dtype
    )


def direct_axis_matrix(
    length: int,
    crop: int,
    stride: int,
    patches: int,
    *,
    crop_padding: tuple[int, int] = (0, 0),
    image_padding: tuple[int, int] = (0, 0),
    flip: bool = False,
    output: int,
) -> AxisMatrix:
    """One axis from stacked window patches to output pixels in a single bilinear step, windows averaged.

    The arguments are those of ``window_axis_matrix``; ``flip`` for an image that was mirrored along this axis.
    """
    valid = length - sum(image_padding)
    crop = min(crop, length)
    centre = (torch.arange(output) + 0.5) * valid / output
    if flip:
        centre = valid - centre
    centre = centre + image_padding[0]
    cell = (crop + sum(crop_padding)) / patches
    starts = torch.tensor(window_positions(length, crop, stride))
    inside = (centre[:, None] >= starts) & (centre[:, None] < starts + crop)  # (output, windows)
    position = ((centre[:, None] - starts + crop_padding[0]) / cell - 0.5).clamp(0, patches - 1)
    low = position.floor().long().clamp(max=max(patches - 2, 0))
    high = (low + 1).clamp(max=patches - 1)
    share = inside / inside.sum(dim=1, keepdim=True)
    offset = torch.arange(len(starts)) * patches
    index = torch.stack([low + offset, high + offset], dim=2).flatten(1)
    weight = torch.stack([(1 - (position - low)) * share, (position - low) * share], dim=2).flatten(1)
    return AxisMatrix(index, weight, size_in=len(starts) * patches)


def splice_axis_matrix(
    length: int, crop: int, stride: int, patches: int, *, crop_padding: tuple[int, int] = (0, 0), output: int
) -> AxisMatrix:
    """One axis from stacked window patches to another grid of ``output`` cells over the image (Trident's splice).

    Where all windows lie on whole patches, they are pasted on a canvas of patches, averaged, and the canvas is resized
    (bilinear); elsewhere there is no such canvas, and it takes one bilinear step.
    """
    crop = min(crop, length)
    if not any(crop_padding) and crop % patches == 0:
        cell = crop // patches
        if length % cell == 0 and stride % cell == 0:
            return window_axis_matrix(length // cell, patches, stride // cell, patches, output=output)
    return direct_axis_matrix(length, crop, stride, patches, crop_padding=crop_padding, output=output)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
