"""Semantic labels out of panoptic truth, for mask heads that learn stuff from a semantic map."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SemanticFromPanoptic(BaseTransform):
    """``panoptic`` (``ids`` and ``segments``, as ``PanopticQuality`` reads it) -> ``gt_seg_map`` (H, W) int64.

    Void, and crowds, get ``ignore_index``, which must be the number of no class.

    Args:
        ignore_index: 255, or above it for more classes.
    """

    def __init__(self, *, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        ids, segments = results["panoptic"]["ids"], results["panoptic"]["segments"]
        table = np.full(max([int(ids.max()), *(one["id"] for one in segments)]) + 1, self.ignore_index, np.int64)
        for segment in segments:
            if segment["label"] == self.ignore_index:
                raise ValueError(f"label {self.ignore_index} is a class: give ignore_index a number above all of them")
            if not segment.get("iscrowd"):
                table[segment["id"]] = segment["label"]
        results["gt_seg_map"] = table[ids]
        results.setdefault("seg_fields", []).append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(ignore_index={self.ignore_index})"
