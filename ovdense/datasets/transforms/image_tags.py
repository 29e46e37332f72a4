"""Image tags: which classes a picture shows, and nothing about where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from ovdense.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ImageTags(BaseTransform):
    """``image_tags`` of a picture from a file or from its label map, which is taken away.

    Put it before anything that cuts the picture: tags are of the whole.

    Required keys: ``img_path`` with ``tags_file``, else ``gt_seg_map``. Added: ``image_tags``, a sorted list of class
    numbers. Removed: ``gt_seg_map``.

    Args:
        tags_file: json of ``{file name without ending: [class numbers]}``; None reads the label map.
        ignore_index: label that is no class.
        keep_map: leave the label map in its place, to measure pseudo labels by.
    """

    def __init__(self, *, tags_file: str | None = None, ignore_index: int = 255, keep_map: bool = False) -> None:
        self.ignore_index, self.keep_map, self.tags = ignore_index, keep_map, None
        if tags_file is not None:
            self.tags = json.loads(Path(tags_file).read_text(encoding="utf-8"))

    def transform(self, results: dict) -> dict:
        if self.tags is not None:
            name = Path(results["img_path"]).stem
            if name not in self.tags:
                raise ValueError(f"the file of tags says nothing of {name}")
            tags = self.tags[name]
        elif results.get("gt_seg_map") is None:
            raise ValueError("tags come from a tags_file or from a label map: put LoadAnnotations before ImageTags")
        else:
            tags = np.unique(results["gt_seg_map"])
        results["image_tags"] = sorted(int(tag) for tag in tags if int(tag) != self.ignore_index)
        if not self.keep_map:
            results.pop("gt_seg_map", None)
            results["seg_fields"] = [name for name in results.get("seg_fields", []) if name != "gt_seg_map"]
        return results
