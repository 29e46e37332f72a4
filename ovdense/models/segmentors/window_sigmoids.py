"""The sigmoid of every window, averaged where windows overlap and with a view of the whole picture (CAT-Seg).

Shapes: n = ny x nx windows of an image, S phrases, h x w grid, H x W output pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, apply_separable
from ovdense.functional.windows import stack_windows
from ovdense.models.segmentors.geometry import Axis, axis_matrix
from ovdense.models.segmentors.label_decoder import WindowLogits


@dataclass
class WindowSigmoids(WindowLogits):
    """Probabilities of each phrase by itself: upsampled to each window's pixels, sigmoid, mean, resized.

    The mean of the windows and a view of the whole picture, where there is one, count half each.

    Args:
        windows: (n,S,h,w) logits.
        axes: the vertical and horizontal way of the windows to the output.
        view: (1,S,h,w) logits of the whole picture, or None.
    """

    windows: Tensor = None
    axes: tuple[Axis, Axis] = None
    view: Tensor | None = None

    separable = False

    def full(self, phrases: Tensor | slice = slice(None), lines: slice = slice(None)) -> Tensor:
        """(s,H',W) probabilities of some phrases on some lines, before refinement."""
        maps = self._pixels(self.windows[:, phrases])
        grid = tuple(length // axis.cells for length, axis in zip(self.grids.shape[-2:], self.axes))
        rows, cols = self.pixel_axes
        out = apply_separable(stack_windows(maps, grid)[0], rows[lines], cols)
        if self.view is None:
            return out
        rows, cols = self.view_axes
        return (out + apply_separable(self._pixels(self.view[:, phrases])[0], rows[lines], cols)) / 2

    def blocks(self):
        """The whole image: the windows are upsampled once for each chunk of classes."""
        yield slice(0, self.size[0])

    @cached_property
    def pixel_axes(self) -> tuple[AxisMatrix, AxisMatrix]:
        """From the windows' pixels, side by side, to the output."""
        return self._matrices(replace(axis, cells=axis.crop, padding=(0, 0)) for axis in self.axes)

    @cached_property
    def view_axes(self) -> tuple[AxisMatrix, AxisMatrix]:
        """From the pixels of the whole view, which has the size of a window, to the output."""
        return self._matrices(
            replace(axis, cells=axis.crop, crop=axis.length, stride=axis.length, padding=(0, 0)) for axis in self.axes
        )

    def _matrices(self, axes) -> tuple[AxisMatrix, AxisMatrix]:
        return matrices(axes, self.windows.device)

    def _pixels(self, logits: Tensor) -> Tensor:
        """(n,s,H',W') probabilities at the pixels of the windows, without the padding that the backbone added."""
        vertical, horizontal = self.axes
        size = tuple(axis.crop + sum(axis.padding) for axis in self.axes)
        maps = F.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False).sigmoid()
        return maps.narrow(-2, vertical.padding[0], vertical.crop).narrow(-1, horizontal.padding[0], horizontal.crop)


def matrices(axes: Iterable[Axis], device: torch.device) -> tuple[AxisMatrix, AxisMatrix]:
    """The matrices of both axes, windows first upsampled to their pixels."""
    return tuple(axis_matrix(axis).to(device) for axis in axes)
