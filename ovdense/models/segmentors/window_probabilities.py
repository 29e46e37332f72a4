"""The softmax of every window, averaged where windows overlap, as dino.txt's evaluation does it.

Shapes: n = ny x nx windows of an image, S phrases, h x w patch grid, H x W output pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.resample import AxisMatrix, apply_separable
from ovdense.functional.windows import stack_windows
from ovdense.models.segmentors.geometry import Axis, axis_matrix
from ovdense.models.segmentors.label_decoder import CLASSES_AT_ONCE, WindowLogits
from ovdense.models.segmentors.test_settings import TestSettings


@dataclass
class WindowProbabilities(WindowLogits):
    """Phrase probabilities of one image instead of logits: upsampled to each window's pixels, softmax, mean, resized.

    The softmax is over all phrases, pixel by pixel, so that the way from grid to image is no longer linear; maps are
    made for some phrases at a time.

    Args:
        windows: (n,S,h,w) cosines.
        axes: the vertical and horizontal way of the windows to the output.
        settings: ``logit_scale`` of the softmax, ``align_corners`` of the steps.
    """

    windows: Tensor = None
    axes: tuple[Axis, Axis] = None
    settings: TestSettings = None

    separable = False

    def full(self, phrases: Tensor | slice = slice(None), lines: slice = slice(None)) -> Tensor:
        """(s,H',W) probabilities of some phrases on some lines, before refinement."""
        maps = (self._pixels(phrases) - self.normaliser).exp()
        grid = tuple(length // axis.cells for length, axis in zip(self.grids.shape[-2:], self.axes))
        rows, cols = self.pixel_axes
        return apply_separable(stack_windows(maps, grid)[0], rows[lines], cols)

    def blocks(self):
        """The whole image: the windows are upsampled once for each chunk of classes."""
        yield slice(0, self.size[0])

    @cached_property
    def normaliser(self) -> Tensor:
        """(n,1,H',W') log of the softmax's denominator at the pixels of the windows."""
        total = None
        for part in torch.arange(self.windows.shape[1], device=self.windows.device).split(CLASSES_AT_ONCE):
            spread = self._pixels(part).logsumexp(dim=1, keepdim=True)
            total = spread if total is None else torch.logaddexp(total, spread)
        return total

    @cached_property
    def pixel_axes(self) -> tuple[AxisMatrix, AxisMatrix]:
        """From the windows' pixels, side by side, to the output."""
        axes = (replace(axis, cells=axis.crop, padding=(0, 0)) for axis in self.axes)
        settings = self.settings
        return tuple(
            axis_matrix(axis, "two_step", settings.align_corners, settings.window_align_corners).to(self.windows.device)
            for axis in axes
        )

    def _pixels(self, phrases: Tensor | slice) -> Tensor:
        """(n,s,H',W') scaled logits at the pixels of the windows, without the padding that the backbone added."""
        vertical, horizontal = self.axes
        size = tuple(axis.crop + sum(axis.padding) for axis in self.axes)
        aligned = self.settings.window_align_corners
        aligned = self.settings.align_corners if aligned is None else aligned
        maps = F.interpolate(self.windows[:, phrases].float(), size=size, mode="bilinear", align_corners=aligned)
        maps = maps.narrow(-2, vertical.padding[0], vertical.crop).narrow(-1, horizontal.padding[0], horizontal.crop)
        return maps * self.settings.logit_scale
