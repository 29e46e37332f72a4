"""Visual prompts: ways to point at a region of an image before a CLIP sees it whole.

Shapes: R regions, H x W pixels, h x w patch grid. Boxes are xyxy in pixels. Images are (3, H, W) floats of any range.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def outline_ellipse(image: Tensor, boxes: Tensor, color: Tensor, width: float | None = None) -> Tensor:
    """Copies with an ellipse drawn about each box, (3,H,W) x (R,4) -> (R,3,H,W).

    The red circle of Shtedritski et al. (arXiv 2304.06712): the outline touches the sides of the box.

    Args:
        color: (3,) in the range of the image.
        width: pixels of the line; None for a 200th of the longer side, 2 at least.
    """
    height, columns = image.shape[-2:]
    width = max(2.0, max(height, columns) / 200) if width is None else width
    outer = _ellipses(boxes, (height, columns), width / 2) <= 1
    inner = _ellipses(boxes, (height, columns), -width / 2) <= 1
    line = (outer & ~inner)[:, None]
    return torch.where(line, color.to(image)[None, :, None, None], image[None])


def blur_outside(image: Tensor, regions: Tensor, sigma: float | None = None) -> Tensor:
    """Copies that are sharp in the region and blurred elsewhere, (3,H,W) x (R,4) boxes or (R,H,W) masks -> (R,3,H,W).

    The reverse blur of FGVP (arXiv 2306.04356).

    Args:
        sigma: of the Gaussian, in pixels; None for a 20th of the longer side.
    """
    sigma = max(image.shape[-2:]) / 20 if sigma is None else sigma
    blurred = gaussian_blur(image, sigma)
    inside = regions.bool() if regions.ndim == 3 else box_masks(regions, tuple(image.shape[-2:]))
    return torch.where(inside[:, None], image[None], blurred[None])


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur (3,H,W) -> (3,H,W), the edge repeated; the kernel is cut at three sigma and at the image's size."""
    if sigma <= 0:
        raise ValueError(f"sigma of a blur is above 0 pixels, got {sigma}")
    out = image[None]
    for dim in (2, 3):
        reach = min(math.ceil(3 * sigma), out.shape[dim] - 1)
        place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
        kernel = torch.exp(-(place**2) / (2 * sigma**2))
        shape = [1, 1, 1, 1]
        shape[dim] = len(kernel)
        padding = (0, 0, reach, reach) if dim == 2 else (reach, reach, 0, 0)
        weight = (kernel / kernel.sum()).view(shape).expand(out.shape[1], 1, *shape[2:])
        out = F.conv2d(F.pad(out, padding, mode="replicate"), weight, groups=out.shape[1])
    return out[0]


def box_masks(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels whose centre lies in each box, (R,4) -> (R,H,W) bool."""
    y = torch.arange(size[0], device=boxes.device) + 0.5
    x = torch.arange(size[1], device=boxes.device) + 0.5
    rows = (y >= boxes[:, 1:2]) & (y < boxes[:, 3:4])
    columns = (x >= boxes[:, 0:1]) & (x < boxes[:, 2:3])
    return rows[:, :, None] & columns[:, None, :]


def foveal_bias(
    boxes: Tensor,
    size: tuple[int, int],
    grid: tuple[int, int],
    *,
    strength: float = 0.2,
    sigma: float = 100.0,
    official_quirks: bool = False,
) -> Tensor:
    """FALIP's bias of the class token's logits, (R,4) -> (R,h,w): a dome over the cells of each box.

    FALIP (arXiv 2407.05578): a Gaussian of ``sigma`` cells about the middle of the box, stretched to 0..``strength``,
    so wide that it is a flat dome. Boxes are rounded outward to cells; a box without area gets the cell it lies in.

    Args:
        size: (H, W) pixels that the grid covers.
        official_quirks: a box that starts on the border of two cells takes the cell before as well.
    """
    cells = boxes.double() / boxes.new_tensor([size[1], size[0], size[1], size[0]]).double()
    cells = cells * cells.new_tensor([grid[1], grid[0], grid[1], grid[0]])
    start = cells[:, :2].ceil() - 1 if official_quirks else cells[:, :2].floor()
    limit = cells.new_tensor([grid[1], grid[0]])
    start = torch.minimum(start.clamp(min=0), limit - 1)
    end = torch.minimum(torch.maximum(cells[:, 2:].ceil(), start + 1), limit)
    out = boxes.new_zeros((len(boxes), *grid))
    for index, ((x0, y0), (x1, y1)) in enumerate(zip(start.long().tolist(), end.long().tolist())):
        out[index, y0:y1, x0:x1] = foveal_dome((y1 - y0, x1 - x0), strength, sigma).to(out)
    return out


def foveal_dome(size: tuple[int, int], strength: float = 0.2, sigma: float = 100.0) -> Tensor:
    """Gaussian of ``sigma`` cells about the middle, stretched to 0..``strength``, (h,w); flat on one cell."""
    y, x = (torch.arange(length, dtype=torch.float64) - (length - 1) / 2 for length in size)
    dome = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * sigma**2))
    dome = dome - dome.min()
    return (dome + 1e-6) / (dome.max() + 1e-6) * strength


def _ellipses(boxes: Tensor, size: tuple[int, int], grow: float) -> Tensor:
    """(R,H,W) squared distance from each box's centre in half axes, which are ``grow`` pixels longer."""
    y = torch.arange(size[0], device=boxes.device) + 0.5
    x = torch.arange(size[1], device=boxes.device) + 0.5
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 + grow
    half = half.clamp(min=1e-3)
    rows = ((y[None] - centre[:, 1:]) / half[:, 1:]) ** 2
    columns = ((x[None] - centre[:, :1]) / half[:, :1]) ** 2
    return rows[:, :, None] + columns[:, None, :]
