"""A crop that repeats itself, for pictures without labels."""

from __future__ import annotations

from mmcv.transforms import BaseTransform

from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CenterCrop(BaseTransform):
    """Cuts a square of ``size`` pixels from the middle of ``img`` (H, W, 3); shorter sides stay as they are.

    Uneven margins are rounded as torchvision does: half a pixel to the even number.
    """

    def __init__(self, *, size: int) -> None:
        if size < 1:
            raise ValueError(f"size of a crop must be at least 1 pixel, got {size}")
        self.size = size

    def transform(self, results: dict) -> dict:
        image = results["img"]
        top, left = (max(0, round((side - self.size) / 2)) for side in image.shape[:2])
        results["img"] = image[top : top + self.size, left : left + self.size]
        results["img_shape"] = results["img"].shape[:2]
        return results
