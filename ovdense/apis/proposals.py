"""Boxes of one's own, to be named by a detector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class GivenProposals:
    """Boxes by picture: the same for all, or by file name.

    Args:
        source: boxes (R, 4) xyxy in pixels of the picture; a dict of file name -> boxes; or a json file with either of
            these, or with COCO's ``images`` and ``annotations`` (whose bbox is xywh).

    Raises:
        ValueError: boxes of another form.
    """

    def __init__(self, source) -> None:
        self.name = "the proposals"
        if isinstance(source, (str, Path)):
            self.name = str(source)
            source = self._read(Path(source))
        if isinstance(source, Mapping) and "annotations" in source and "images" in source:
            source = _boxes_of_coco(source)
        self._by_name = None
        if isinstance(source, Mapping):
            self._by_name = {str(name): self._checked(boxes, str(name)) for name, boxes in source.items()}
        else:
            self._all = self._checked(source, "all pictures")

    def __call__(self, path: str | None) -> np.ndarray:
        """Boxes (R, 4) of a picture, found by its path or its file name."""
        if self._by_name is None:
            return self._all
        for name in (str(path), Path(str(path)).name):
            if name in self._by_name:
                return self._by_name[name]
        raise ValueError(f"{self.name} has no boxes for {path}, only for {', '.join(list(self._by_name)[:5])}")

    def _read(self, path: Path):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"no such file of proposals: {path}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read proposals from {path}: {error}") from None

    def _checked(self, boxes, name: str) -> np.ndarray:
        try:
            array = np.asarray(boxes, np.float32).reshape(-1, 4) if len(boxes) else np.zeros((0, 4), np.float32)
            right = np.asarray(boxes).shape == array.shape or not len(array)
        except (TypeError, ValueError):
            right = False
        if not right or not np.isfinite(array).all() or (array[:, 2:] <= array[:, :2]).any():
            raise ValueError(
                f"{self.name}: the boxes of {name} must be [[x0, y0, x1, y1], ...] with x0 < x1 and y0 < y1, "
                f"got {str(boxes)[:80]}"
            )
        return array


def _boxes_of_coco(document: Mapping) -> dict[str, list]:
    names = {image["id"]: image["file_name"] for image in document["images"]}
    boxes: dict[str, list] = {name: [] for name in names.values()}
    for annotation in document["annotations"]:
        x, y, width, height = annotation["bbox"]
        boxes[names[annotation["image_id"]]].append([x, y, x + width, y + height])
    return boxes
