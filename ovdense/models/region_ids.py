"""Region maps between the picture, where they are kept, and the network's input, where they are used.

mm metainfo carries them as ``region_ids``: (H, W) integers of the original picture's size, 0 where no region lies.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ovdense.functional.region_scope import PADDING, resize_regions
from ovdense.functional.region_vote import majority_vote

REMEDY = (
    "load them with dict(type='LoadRegionMasks', ...) and add 'region_ids' to the meta_keys of PackSegInputs, or let "
    "the segmentor find them, regions=dict(type='FelzenszwalbRegions')"
)


def region_ids(meta: dict) -> Tensor:
    """The (H,W) int64 region map of a picture.

    Raises:
        ValueError: there is none, or it is no map of integers.
    """
    ids = meta.get("region_ids")
    if ids is None:
        raise ValueError(f"no region masks came with {meta.get('img_path') or 'the picture'}: {REMEDY}")
    ids = np.asarray(ids.cpu() if isinstance(ids, Tensor) else ids)
    if ids.ndim != 2 or ids.dtype.kind not in "iub":
        raise ValueError(f"region_ids is a map (H, W) of integers, got {ids.dtype} of shape {ids.shape}")
    return torch.from_numpy(ids.astype(np.int64))


def to_input(ids: Tensor, meta: dict, size: tuple[int, int], sampling: str = "center") -> Tensor:
    """A picture's region map (H,W) as the input of ``size`` shows it: resized, flipped, -1 on padding."""
    top, bottom, left, right = _padding(meta)
    inner = (size[0] - top - bottom, size[1] - left - right)
    ids = _flip(resize_regions(ids, inner, sampling), meta)
    return torch.nn.functional.pad(ids, (left, right, top, bottom), value=PADDING)


def to_original(ids: Tensor, meta: dict, sampling: str = "center") -> Tensor:
    """The way back: a region map of the input's size at the size of the original picture."""
    top, bottom, left, right = _padding(meta)
    inner = ids[top : ids.shape[0] - bottom, left : ids.shape[1] - right]
    return resize_regions(_flip(inner, meta), tuple(meta.get("ori_shape", inner.shape))[:2], sampling)


def vote_in_regions(labels: Tensor, meta: dict, mode: bool | str = True) -> Tensor:
    """A picture's labels (H,W) after the majority vote in its regions; ``mode``: ``test_cfg.region_vote``."""
    ids = resize_regions(region_ids(meta), tuple(labels.shape))
    return majority_vote(labels, ids, "zero" if mode is True else mode)


def _padding(meta: dict) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) pixels of the input that are no picture."""
    left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
    return top, bottom, left, right


def _flip(ids: Tensor, meta: dict) -> Tensor:
    if not meta.get("flip"):
        return ids
    dims = {"horizontal": (1,), "vertical": (0,), "diagonal": (0, 1)}[meta.get("flip_direction") or "horizontal"]
    return ids.flip(dims)
