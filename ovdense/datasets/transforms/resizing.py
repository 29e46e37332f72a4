"""Resizing that survives any picture: lines one pixel high, and photographs reduced many times."""

from __future__ import annotations

import mmcv
from mmcv.image import rescale_size
from mmseg.datasets.transforms import Resize as SegResize

from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Resize(SegResize):
    """mmseg's ``Resize``, with no side below one pixel and, on request, without aliasing.

    Args:
        antialias: average over areas where the picture gets smaller (official protocols of the field do not).
        kwargs: ``scale``, ``scale_factor``, ``keep_ratio``, ``interpolation``, ... of mmseg's ``Resize``.
    """

    def __init__(self, *args, antialias: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.antialias = antialias

    def _resize_img(self, results: dict) -> None:
        image = results.get("img")
        if image is None:
            return
        height, width = image.shape[:2]
        size = rescale_size((width, height), results["scale"]) if self.keep_ratio else results["scale"]
        size = max(1, size[0]), max(1, size[1])
        averaged = self.antialias and size[0] * size[1] < width * height
        image = mmcv.imresize(image, size, interpolation="area" if averaged else self.interpolation)
        results["img"] = image
        results["img_shape"] = image.shape[:2]
        results["scale_factor"] = (size[0] / width, size[1] / height)
        results["keep_ratio"] = self.keep_ratio
