"""Panoptic truth in COCO's format: a PNG whose colours are segment ids, and a json that says what the ids are.

COCO panoptic and the ADE20K panoptic files of mmdet's ``ADE20KPanopticDataset`` are of this kind. Shapes: H x W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

MAX_ID = 256**3 - 1


def read_segment_ids(path: str | Path) -> np.ndarray:
    """(H, W) int32 segment ids of a COCO panoptic PNG: red + 256 * green + 256^2 * blue, 0 = void.

    Raises:
        ValueError: a PNG without three colours, as semantic label maps are.
    """
    with Image.open(path) as image:
        if image.mode not in ("RGB", "RGBA"):
            raise ValueError(
                f"a panoptic PNG has the colours red, green, blue: give the folder of the panoptic maps, not that of "
                f"semantic ones, got mode {image.mode!r} in {path}"
            )
        colours = np.asarray(image.convert("RGB"), np.int32)
    return colours[..., 0] + 256 * colours[..., 1] + 256**2 * colours[..., 2]


def write_segment_ids(path: str | Path, ids: np.ndarray) -> None:
    """The inverse of :func:`read_segment_ids`: ids (H, W) in [0, 256^3) as a PNG."""
    ids = np.asarray(ids)
    if ids.ndim != 2 or ids.min(initial=0) < 0 or ids.max(initial=0) > MAX_ID:
        raise ValueError(f"segment ids are (H, W) in [0, {MAX_ID}], got {ids.shape} from {ids.min()} to {ids.max()}")
    Image.fromarray(np.stack([ids % 256, ids // 256 % 256, ids // 256**2], axis=-1).astype(np.uint8)).save(path)


class PanopticFiles:
    """The truth of pictures by their id, from a COCO panoptic json and the folder of its PNGs.

    Args:
        ann_file: the json, with ``annotations`` and ``categories``.
        seg_prefix: folder of the PNGs.
        classes: names in label order; categories are found by name.

    Raises:
        ValueError: a json of another kind, or one that lacks a class.
    """

    def __init__(self, ann_file: str | Path, seg_prefix: str | Path, classes: Sequence[str]) -> None:
        self.ann_file, self.folder = Path(ann_file), Path(seg_prefix)
        content = json.loads(self.ann_file.read_text(encoding="utf-8"))
        annotations = content.get("annotations") if isinstance(content, dict) else None
        if not annotations or "segments_info" not in annotations[0] or "categories" not in content:
            raise ValueError(
                "a COCO panoptic json has 'categories' and 'annotations' with 'segments_info': give the json of the "
                f"panoptic maps, got {ann_file}"
            )
        numbers = {name: label for label, name in enumerate(classes)}
        names = {category["id"]: category["name"] for category in content["categories"]}
        missing = sorted(set(classes) - set(names.values()))
        if missing:
            raise ValueError(f"{ann_file} has no category for {len(missing)} of {len(classes)} classes: {missing[:5]}")
        self._label = {number: numbers.get(name) for number, name in names.items()}
        self._by_picture = {annotation["image_id"]: annotation for annotation in annotations}

    def __getitem__(self, img_id: int | str) -> dict:
        """``dict(ids=(H, W), segments=[dict(id=, label=, iscrowd=)])``; segments of other classes are void."""
        if img_id not in self._by_picture:
            raise KeyError(f"{self.ann_file} has no picture of id {img_id!r}, only {len(self._by_picture)} others")
        annotation = self._by_picture[img_id]
        ids = read_segment_ids(self.folder / annotation["file_name"])
        segments = []
        for one in annotation["segments_info"]:
            label = self._label[one["category_id"]]
            if label is None:
                ids[ids == one["id"]] = 0
            else:
                segments.append(dict(id=one["id"], label=label, iscrowd=int(one.get("iscrowd", 0))))
        return dict(ids=ids, segments=segments)


def segments_of_mmdet(segments_info: Sequence[Mapping], things: Collection[int]) -> list[dict]:
    """``segments_info`` of mmdet's panoptic datasets as ``dict(id=, label=, iscrowd=)``.

    mmdet marks a crowd as a segment of a thing class that is no thing.

    Args:
        things: labels of the thing classes.
    """
    return [
        dict(id=one["id"], label=one["category"], iscrowd=int(one["category"] in things and not one["is_thing"]))
        for one in segments_info
    ]
