"""Loading of panoptic truth in COCO's format, without panopticapi."""

from __future__ import annotations

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations
from mmdet.structures.mask import BitmapMasks

from ovdense.datasets.panoptic_files import read_segment_ids
from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module(name=["LoadPanoptic", "LoadPanopticAnnotations"])
class LoadPanoptic(LoadAnnotations):
    """mmdet's ``LoadPanopticAnnotations`` that reads the PNG itself: boxes and masks of things, and a label map.

    Required keys: ``seg_map_path`` and ``segments_info`` as mmdet's ``CocoPanopticDataset`` and
    ``ADE20KPanopticDataset`` give them. Added keys: ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_ignore_flags``,
    ``gt_masks`` (things without crowds), ``gt_seg_map`` (H, W) of every class, ``ignore_index`` in void.

    Args:
        ignore_index: value of void in ``gt_seg_map``; must be no class of the picture (65535 beyond 255 classes).
        kwargs: as in mmdet's ``LoadAnnotations``.
    """

    def __init__(self, *, ignore_index: int = 255, **kwargs) -> None:
        super().__init__(**{"with_bbox": True, "with_label": True, "with_mask": True, "with_seg": True, **kwargs})
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict:
        if self.with_bbox:
            self._load_bboxes(results)
        if self.with_label:
            self._load_labels(results)
        if results.get("seg_map_path") is None or not (self.with_mask or self.with_seg):
            return results
        ids = read_segment_ids(results["seg_map_path"])
        if self.with_mask:
            things = [(ids == one["id"]).astype(np.uint8) for one in results["segments_info"] if one.get("is_thing")]
            results["gt_masks"] = BitmapMasks(things, *ids.shape)
        if self.with_seg:
            results["gt_seg_map"] = self._label_map(ids, results["segments_info"])
            results["ignore_index"] = self.ignore_index
        return results

    def _label_map(self, ids: np.ndarray, segments: list[dict]) -> np.ndarray:
        labels = np.full(ids.shape, self.ignore_index, np.int32)
        for segment in segments:
            if segment["category"] == self.ignore_index:
                raise ValueError(
                    f"{self.ignore_index} is both the ignored label and a class: set LoadPanoptic(ignore_index=65535)"
                )
            labels[ids == segment["id"]] = segment["category"]
        return labels
