"""Writing scenes to disk: ADE20K folders of PNG files, and COCO json for instances, panoptic segments and captions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ovdense.datasets.scenes.base import select_objects
from ovdense.datasets.scenes.det_dataset import encode_mask
from ovdense.datasets.scenes.generator import Scene
from ovdense.datasets.scenes.panoptic import panoptic_segments
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
        .scenes_val.jsonl                     which scenes there are: a writer of the same folder goes on from here

    Category ids in the json files are index into the vocabulary + 1. Unlike ADE20K's own files the annotations have no
    label 0 for "other": read them with ``reduce_zero_label=False``. Files appear whole or not at all, whenever the
    writing is stopped.

    Args:
        folder: where to write; scenes that it holds are kept.
        vocabulary: the classes.
        split: ``train``, ``val`` or ``test``.
        labelled: names of the objects that get boxes, masks and panoptic segments; default all.
        recipe: what else the scenes depend on, as plain data: a folder holds scenes of one recipe.

    Raises:
        ValueError: the folder holds scenes of another recipe.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        vocabulary: Vocabulary,
        split: str,
        labelled: Sequence[str] | None = None,
        recipe: Mapping | None = None,
    ) -> None:
        self.folder, self.split, self.vocabulary = Path(folder), split, vocabulary
        self.labelled = set(select_objects(vocabulary, labelled))
        self.category_id = {name: index + 1 for index, name in enumerate(vocabulary.classes)}
        self.image_folder = self.folder / "images" / FOLDERS[split]
        self.label_folder = self.folder / "annotations" / FOLDERS[split]
        self.panoptic_folder = self.folder / "coco" / f"panoptic_{split}"
        for path in (self.image_folder, self.label_folder, self.panoptic_folder):
            path.mkdir(parents=True, exist_ok=True)
        own = dict(vocabulary=vocabulary.digest, labelled=sorted(self.labelled))
        self._journal = self.folder / f".scenes_{split}.jsonl"
        self._records = _open_journal(self._journal, {**own, **(recipe or {})})
        self._records = {index: record for index, record in self._records.items() if self._is_there(index)}

    def __contains__(self, index: int) -> bool:
        """Whether the folder holds the scene of an index."""
        return index in self._records

    def write(self, scenes: Iterable[tuple[int, Scene]]) -> int:
        """Writes (index, scene) pairs, then the json files of all scenes in the folder; returns how many these are."""
        with self._journal.open("a", encoding="utf-8") as journal:
            for index, scene in scenes:
                self._records[index] = self._write_pictures(index, scene)
                journal.write(json.dumps(self._records[index]) + "\n")
                journal.flush()
        records = [self._records[index] for index in sorted(self._records)]
        images = [record["image"] for record in records]
        instances = [item for record in records for item in record["instances"]]
        instances = [dict(item, id=number) for number, item in enumerate(instances, start=1)]
        things = [self._category(name) for name in self.vocabulary.classes if name not in STUFF]
        everything = [self._category(name) for name in self.vocabulary.classes]
        panoptic, captions = ([record[kind] for record in records] for kind in ("panoptic", "caption"))
        self._dump("instances", images=images, annotations=instances, categories=things)
        self._dump("panoptic", images=images, annotations=panoptic, categories=everything)
        self._dump("captions", images=images, annotations=captions)
        vocabulary = json.dumps(self.vocabulary.to_dict(), indent=1) + "\n"
        write_whole(self.folder / "vocabulary.json", vocabulary.encode())
        return len(records)

    def _is_there(self, index: int) -> bool:
        folders = (self.image_folder, self.label_folder, self.panoptic_folder)
        return all((folder / f"{index:06d}.png").is_file() for folder in folders)

    def _write_pictures(self, index: int, scene: Scene) -> dict:
        """Writes the PNG files of a scene; what the json files say of it."""
        name = f"{index:06d}.png"
        height, width = scene.semantic.shape
        ids, names = panoptic_segments(scene, self.labelled, self.category_id)
        _write_png(self.image_folder / name, scene.image[..., ::-1])
        _write_png(self.label_folder / name, scene.semantic_as(self.vocabulary.classes))
        _write_png(self.panoptic_folder / name, np.stack([ids >> 16, (ids >> 8) & 255, ids & 255], -1).astype(np.uint8))
        segments = [
            dict(_area_record(self.category_id[name], ids == number, iscrowd=0), id=number)
            for number, name in enumerate(names, start=1)
        ]
        return dict(
            image=dict(id=index, file_name=name, height=height, width=width),
            caption=dict(id=index, image_id=index, caption=scene.caption),
            instances=[self._instance(index, scene, item) for item in scene.objects if item.name in self.labelled],
            panoptic=dict(image_id=index, file_name=name, segments_info=segments),
        )

    def _instance(self, index: int, scene: Scene, item) -> dict:
        mask = scene.instances == item.instance_id
        record = _area_record(self.category_id[item.name], mask, iscrowd=int(item.ignored))
        return dict(record, image_id=index, segmentation=encode_mask(mask))

    def _category(self, name: str) -> dict:
        color = self.vocabulary.palette[self.category_id[name] - 1]
        return dict(id=self.category_id[name], name=name, isthing=int(name not in STUFF), color=color)

    def _dump(self, kind: str, **content) -> None:
        info = dict(description="Generated scenes of ovdense", split=self.split)
        path = self.folder / "coco" / f"{kind}_{self.split}.json"
        write_whole(path, json.dumps(dict(info=info, **content)).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there with all of its content or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def _write_png(path: Path, picture: np.ndarray) -> None:
    write_whole(path, cv2.imencode(".png", picture)[1].tobytes())


def _open_journal(path: Path, recipe: dict) -> dict[int, dict]:
    """Records of a journal by index, of which an unfinished last line is cut off; begins one where there is none."""
    recipe = json.loads(json.dumps(recipe))
    content = path.read_bytes() if path.is_file() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not whole:
        write_whole(path, json.dumps(dict(recipe=recipe)).encode() + b"\n")
        return {}
    if len(whole) < len(content):
        write_whole(path, whole)
    head, *records = map(json.loads, whole.decode().splitlines())
    known = head["recipe"]
    if known != recipe:
        differing = [key for key in sorted({*known, *recipe}) if known.get(key) != recipe.get(key)]
        told = ", ".join(f"{key} {_short(known.get(key))} there, {_short(recipe.get(key))} now" for key in differing)
        raise ValueError(f"{path.parent} holds scenes of another recipe: take an empty folder; got {told}")
    return {record["image"]["id"]: record for record in records}


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _area_record(category_id: int, mask: np.ndarray, iscrowd: int) -> dict:
    """COCO's fields of an area: category, area in pixels, box (x, y, width, height)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    box = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
    return dict(category_id=category_id, area=int(mask.sum()), bbox=box, iscrowd=iscrowd)
