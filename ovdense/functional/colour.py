"""Colour spaces."""

from __future__ import annotations

import torch
from torch import Tensor

# Linear sRGB to CIE XYZ (IEC 61966-2-1), and the white point D65 of the 2 degree observer.
XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(images: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in [0, 1] -> CIE L*a*b*: L in [0, 100], a and b within about [-128, 128].

    Raises:
        ValueError: no three channels.
    """
    if images.ndim < 3 or images.shape[-3] != 3:
        raise ValueError(f"images must be (..., 3, H, W), got {tuple(images.shape)}")
    linear = torch.where(images > 0.04045, ((images + 0.055) / 1.055) ** 2.4, images / 12.92)
    xyz = torch.einsum("ij,...jhw->...ihw", images.new_tensor(XYZ), linear)
    ratio = xyz / images.new_tensor(WHITE)[:, None, None]
    curve = torch.where(ratio > 0.008856, ratio.clamp(min=0.008856) ** (1 / 3), 7.787 * ratio + 4 / 29)
    x, y, z = curve.unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)
