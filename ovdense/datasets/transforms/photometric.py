"""Changes of light and sharpness that leave every pixel in its place.

Shapes: images are (H, W, 3) uint8 in any channel order.
"""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomBrightness(BaseTransform):
    """Values times a factor from ``1 - strength`` to ``1 + strength``: torchvision's ``ColorJitter(strength)``.

    Modified keys: ``img``.
    """

    def __init__(self, *, strength: float = 0.5) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength of RandomBrightness is a share from 0 to 1, got {strength}")
        self.strength = strength

    @cache_randomness
    def factor(self) -> float:
        return np.random.uniform(1 - self.strength, 1 + self.strength)

    def transform(self, results: dict) -> dict:
        brighter = results["img"].astype(np.float32) * np.float32(self.factor())
        results["img"] = np.clip(np.rint(brighter), 0, 255).astype(np.uint8)
        return results


@TRANSFORMS.register_module()
class RandomBlur(BaseTransform):
    """Gaussian blur of a random width, as SimCLR (arXiv 2002.05709) has it.

    Args:
        prob: of any blur at all.
        sigma: smallest and largest width in pixels.
        kernel: window as a share of the shorter side.

    Modified keys: ``img``.
    """

    def __init__(self, *, prob: float = 0.5, sigma: tuple[float, float] = (0.1, 2.0), kernel: float = 0.1) -> None:
        if not 0 <= prob <= 1 or not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f"RandomBlur takes prob in [0, 1] and sigma above 0, rising, got {prob} and {sigma}")
        self.prob, self.sigma, self.kernel = prob, sigma, kernel

    @cache_randomness
    def width(self) -> float | None:
        """Sigma of this picture, None for no blur."""
        return np.random.uniform(*self.sigma) if np.random.random() < self.prob else None

    def transform(self, results: dict) -> dict:
        sigma = self.width()
        if sigma is not None:
            side = int(self.kernel * min(results["img"].shape[:2])) // 2 * 2 + 1
            results["img"] = cv2.GaussianBlur(results["img"], (side, side), sigma)
        return results
