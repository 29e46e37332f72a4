"""Removal of specks: connected parts of a label map that are too small to be meant."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def drop_small_regions(labels: Tensor, min_pixels: float) -> Tensor:
    """Labels (H,W) whose 4-connected regions below ``min_pixels`` take the label of the nearest larger region.

    A map of nothing but small regions stays as it is. Worked out on the CPU, one connected-component pass a class.
    """
    values = labels.cpu().numpy()
    small = np.zeros(values.shape, bool)
    for value in np.unique(values):
        regions, _ = ndimage.label(values == value)
        sizes = np.bincount(regions.ravel())
        sizes[0] = values.size  # not of this class
        small |= (sizes < min_pixels)[regions]
    if small.all() or not small.any():
        return labels
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return torch.from_numpy(values[tuple(nearest)]).to(labels.device)
