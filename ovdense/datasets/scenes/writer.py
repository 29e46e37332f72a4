"""Writing scenes to disk: ADE20K folders of PNG files, and COCO json for instances, panoptic segments and captions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from ovdense.datasets.scenes.base import select_objects
from ovdense.datasets.scenes.det_dataset import encode_mask
from ovdense.datasets.scenes.generator import IGNORE_LABEL, Scene
from ovdense.datasets.scenes.textures import STUFF
from ovdense.structures import Vocabulary

# ADE20K's own folder names
FOLDERS = {"train": "training", "val": "validation", "test": "testing"}


class SceneWriter:
    """Writes the scenes of a split below a folder::

        images/validation/000000.png          RGB
        annotations/validation/000000.png     uint8, index into the vocabulary from 0 on, 255 = ignored
        coco/instances_val.json               boxes and run-length masks of the objects; hidden ones have iscrowd 1
        coco/panoptic_val.json, coco/panoptic_val/000000.png
        coco/captions_val.json
        vocabulary.json

    Category ids in the json files are index into the vocabulary + 1. Unlike ADE20K's own files the annotations have no
    label 0 for "other": read them with ``reduce_zero_label=False``.

    Args:
        folder: where to write.
        vocabulary: the classes.
        split: ``train``, ``val`` or ``test``.
        labelled: names of the objects that get boxes, masks and panoptic segments; default all.
    """

    def __init__(
        self, folder: str | Path, *, vocabulary: Vocabulary, split: str, labelled: Sequence[str] | None = None
    ) -> None:
        self.folder, self.split, self.vocabulary = Path(folder), split, vocabulary
        self.labelled = set(select_objects(vocabulary, labelled))
        self.category_id = {name: index + 1 for index, name in enumerate(vocabulary.classes)}
        self.image_folder = self.folder / "images" / FOLDERS[split]
        self.label_folder = self.folder / "annotations" / FOLDERS[split]
        self.panoptic_folder = self.folder / "coco" / f"panoptic_{split}"
        for path in (self.image_folder, self.label_folder, self.panoptic_folder):
            path.mkdir(parents=True, exist_ok=True)
        self._images: list[dict] = []
        self._instances: list[dict] = []
        self._panoptic: list[dict] = []
        self._captions: list[dict] = []

    def write(self, scenes: Iterable[tuple[int, Scene]]) -> int:
        """Writes (index, scene) pairs and the json files; returns how many scenes there were."""
        for index, scene in scenes:
            self._add(index, scene)
        things = [self._category(name) for name in self.vocabulary.classes if name not in STUFF]
        everything = [self._category(name) for name in self.vocabulary.classes]
        self._dump("instances", annotations=self._instances, categories=things)
        self._dump("panoptic", annotations=self._panoptic, categories=everything)
        self._dump("captions", annotations=self._captions)
        vocabulary = json.dumps(self.vocabulary.to_dict(), indent=1)
        (self.folder / "vocabulary.json").write_text(vocabulary + "\n", encoding="utf-8")
        return len(self._images)

    def _add(self, index: int, scene: Scene) -> None:
        name = f"{index:06d}.png"
        height, width = scene.semantic.shape
        self._images.append(dict(id=index, file_name=name, height=height, width=width))
        self._captions.append(dict(id=index, image_id=index, caption=scene.caption))
        cv2.imwrite(str(self.image_folder / name), scene.image[..., ::-1])
        cv2.imwrite(str(self.label_folder / name), scene.semantic_as(self.vocabulary.classes))
        for item in scene.objects:
            if item.name in self.labelled:
                mask = scene.instances == item.instance_id
                record = _record(self.category_id[item.name], mask, iscrowd=int(item.ignored))
                record.update(id=len(self._instances) + 1, image_id=index, segmentation=encode_mask(mask))
                self._instances.append(record)
        ids, segments = self._panoptic_segments(scene)
        self._panoptic.append(dict(image_id=index, file_name=name, segments_info=segments))
        blue_green_red = np.stack([ids >> 16, (ids >> 8) & 255, ids & 255], -1).astype(np.uint8)
        cv2.imwrite(str(self.panoptic_folder / name), blue_green_red)

    def _panoptic_segments(self, scene: Scene) -> tuple[np.ndarray, list[dict]]:
        """COCO panoptic id map (H, W), 0 = void, and its segments: one an object, one a texture."""
        ids = np.zeros(scene.semantic.shape, np.int32)
        segments = []
        areas = [
            (item.name, scene.instances == item.instance_id)
            for item in scene.objects
            if item.name in self.labelled and not item.ignored
        ]
        for label in np.unique(scene.semantic):
            name = "" if label == IGNORE_LABEL else scene.labels[label]
            if name in STUFF and name in self.category_id:
                areas.append((name, scene.semantic == label))
        for segment_id, (name, mask) in enumerate(areas, start=1):
            ids[mask] = segment_id
            segments.append(dict(_record(self.category_id[name], mask, iscrowd=0), id=segment_id))
        return ids, segments

    def _category(self, name: str) -> dict:
        color = self.vocabulary.palette[self.category_id[name] - 1]
        return dict(id=self.category_id[name], name=name, isthing=int(name not in STUFF), color=color)

    def _dump(self, kind: str, **content) -> None:
        info = dict(description="Generated scenes of ovdense", split=self.split)
        path = self.folder / "coco" / f"{kind}_{self.split}.json"
        path.write_text(json.dumps(dict(info=info, images=self._images, **content)), encoding="utf-8")


def _record(category_id: int, mask: np.ndarray, iscrowd: int) -> dict:
    """COCO's fields of an area: category, area in pixels, box (x, y, width, height)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    box = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
    return dict(category_id=category_id, area=int(mask.sum()), bbox=box, iscrowd=iscrowd)
