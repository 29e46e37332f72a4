"""Panoptic truth: from COCO's coloured PNG files, and as the semantic map that mask heads learn stuff from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.mask import BitmapMasks

from ovdense.datasets.panoptic_files import read_segment_ids
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


@TRANSFORMS.register_module(name=["LoadPanopticMap", "LoadPanopticAnnotations"])
class LoadPanopticMap(BaseTransform):
    """Reads the PNG of ``seg_map_path``, whose colours are segment ids (R + 256 G + 65536 B), without panopticapi.

    Within the scope ``ovdense`` it answers to the name of mmdet's ``LoadPanopticAnnotations`` too.

    Required keys: ``seg_map_path``; ``segments_info`` with ``id``, ``category``, ``is_thing`` and ``iscrowd`` of each
    segment, as ``CocoPanopticMapsDataset`` gives them.
    Added keys: ``panoptic`` (of the picture's own size, for ``PanopticQuality``); ``gt_masks``, ``gt_bboxes``,
    ``gt_bboxes_labels`` and ``gt_ignore_flags`` of things; ``gt_seg_map`` of all classes, void and crowds 255.
    """

    def transform(self, results: dict) -> dict:
        path = Path(results["seg_map_path"])
        if not path.is_file():
            raise FileNotFoundError(f"no panoptic map {path}: unpack the PNG files or change data_prefix.seg")
        ids = read_segment_ids(path)
        segments = results["segments_info"]
        listed = [dict(id=one["id"], label=one["category"], iscrowd=int(one.get("iscrowd", False))) for one in segments]
        results["panoptic"] = dict(ids=ids, segments=listed)
        things = [one for one in segments if one["is_thing"]]
        masks = np.stack([ids == one["id"] for one in things]) if things else np.zeros((0, *ids.shape))
        results["gt_masks"] = BitmapMasks(masks.astype(np.uint8), *ids.shape)
        results["gt_bboxes"] = results["gt_masks"].get_bboxes("hbox")
        results["gt_bboxes_labels"] = np.array([one["category"] for one in things], np.int64)
        results["gt_ignore_flags"] = np.zeros(len(things), bool)
        semantic = np.full(ids.shape, 255, np.int64)
        for one in listed:
            if not one["iscrowd"]:
                semantic[ids == one["id"]] = one["label"]
        results["gt_seg_map"] = semantic
        results.setdefault("seg_fields", []).append("gt_seg_map")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
