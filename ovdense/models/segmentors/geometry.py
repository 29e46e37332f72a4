"""Where the patch grids of the windows land in the final label map.

Upsampling a window's grid to its crop, pasting, dividing by the count, cutting padding away, flipping back and resizing
to the original size are all linear and separable, so for each axis one (out, n * cells) matrix says it all:
``logits_out = rows @ grids @ cols^T`` with the n window grids laid side by side.

Shapes: n windows along an axis, h cells in each, L input pixels, O output pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, bilinear_axis
from ovdense.functional.windows import direct_axis_matrix, window_axis_matrix


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of the way from the window grids to the label map.

    Args:
        length: L, the input in pixels.
        crop: pixels of a window.
        stride: pixels between windows.
        cells: h, grid cells of a window.
        padding: (before, after) pixels that the backbone added to each window.
        cut: (before, after) pixels of the input that are padding and not image.
        flip: the input was mirrored along this axis.
        out: O.
    """

    length: int
    crop: int
    stride: int
    cells: int
    padding: tuple[int, int] = (0, 0)
    cut: tuple[int, int] = (0, 0)
    flip: bool = False
    out: int

    @property
    def valid(self) -> int:
        """Input pixels that are image."""
        return self.length - sum(self.cut)


def axis_matrix(
    axis: Axis, resize: str = "two_step", align_corners: bool = False, window_align_corners: bool | None = None
) -> AxisMatrix:
    """The (O, n * h) matrix of one axis; ``window_align_corners`` (None: as ``align_corners``) of the first step.

    ``two_step``: each window upsampled to its crop, averaged where windows overlap, then resized, as the official
    protocols do. ``direct``: from the grids to the original size in one bilinear step.
    """
    if resize == "direct":
        return direct_axis_matrix(
            axis.length,
            axis.crop,
            axis.stride,
            axis.cells,
            crop_padding=axis.padding,
            image_padding=axis.cut,
            flip=axis.flip,
            output=axis.out,
        )
    matrix = window_axis_matrix(
        axis.length,
        axis.crop,
        axis.stride,
        axis.cells,
        crop_padding=axis.padding,
        image_padding=axis.cut,
        align_corners=align_corners if window_align_corners is None else window_align_corners,
    )
    if axis.flip:
        matrix = matrix[torch.arange(len(matrix) - 1, -1, -1)]
    if axis.out == len(matrix):
        return matrix
    return bilinear_axis(len(matrix), axis.out, align_corners=align_corners).after(matrix)


def guide_image(image: Tensor, axes: tuple[Axis, Axis]) -> Tensor:
    """The picture inside the input (1,3,H,W), without padding, flipped back and resized to the original size."""
    for dim, axis in zip((-2, -1), axes):
        image = image.narrow(dim, axis.cut[0], axis.valid)
        if axis.flip:
            image = image.flip(dim)
    size = (axes[0].out, axes[1].out)
    if tuple(image.shape[-2:]) == size:
        return image
    return torch.nn.functional.interpolate(image, size=size, mode="bilinear")
