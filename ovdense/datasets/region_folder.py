"""Pictures of a folder with boxes that somebody proposed, without labels."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from ovdense.datasets.image_folder import ImageFolderDataset
from ovdense.registry import DATASETS


@DATASETS.register_module()
class RegionFolderDataset(ImageFolderDataset):
    """All pictures below a folder, each with ``proposals`` (R,4) xyxy in its pixels where a file gives them.

    Args:
        data_root: folder of pictures.
        proposals_file: COCO json with ``images`` and ``annotations`` (CLIPSelf's proposal files; categories are not
            read). Its file names are relative to ``data_root``; a picture without annotations has no boxes. None: no
            ``proposals`` at all.
        min_score: annotations with a lesser ``score`` are left out.
        kwargs: of ``ImageFolderDataset``.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no COCO json, or it knows none of the pictures.
    """

    def __init__(self, *, data_root: str, proposals_file: str | None = None, min_score: float = 0.0, **kwargs) -> None:
        self.proposals_file, self.min_score = proposals_file, min_score
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a picture, by name."""
        entries = super().load_data_list()
        if self.proposals_file is None:
            return entries
        boxes = read_boxes(Path(self.proposals_file), self.min_score)
        root, known = Path(self.data_prefix["img_path"]), 0
        for entry in entries:
            name = Path(entry["img_path"]).relative_to(root).as_posix()
            known += name in boxes
            entry["proposals"] = np.asarray(boxes.get(name, []), np.float32).reshape(-1, 4)
        if not known:
            raise ValueError(
                f"{self.proposals_file} names none of the {len(entries)} pictures in {root}: file names must be "
                f"relative to data_root, got {', '.join(list(boxes)[:2])}"
            )
        return entries


def read_boxes(path: Path, min_score: float = 0.0) -> dict[str, list[list[float]]]:
    """xyxy boxes of every picture of a COCO json by its file name; pictures without boxes have an empty list."""
    if not path.is_file():
        raise FileNotFoundError(f"no proposals file {path}")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise ValueError(f"{path} must be a COCO json with images and annotations")
    by_image = defaultdict(list)
    for annotation in content["annotations"]:
        if annotation.get("score", 1.0) >= min_score:
            x, y, width, height = annotation["bbox"]
            by_image[annotation["image_id"]].append([x, y, x + width, y + height])
    names = {}
    for image in content["images"]:
        url = image.get("coco_url", "").split("/")
        names[image["id"]] = image.get("file_name") or "/".join(url[-2:])
    return {name: by_image[identity] for identity, name in names.items()}
