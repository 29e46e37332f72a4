"""Referring expressions in RefCOCO's format: which box a sentence means.

``refs`` says of each reference its picture, annotation, split and sentences; the boxes lie in a COCO json beside it.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ovdense.datasets.coco_splits import file_name, read_coco


@dataclass(frozen=True)
class Reference:
    """A sentence, its picture's file, all boxes (N, 4) xyxy of the picture, and which of them is meant."""

    sentence: str
    file: str
    boxes: np.ndarray
    target: int


class _PlainUnpickler(pickle.Unpickler):
    """RefCOCO's pickles hold lists, dicts, strings and numbers only; anything else is refused, not run."""

    def find_class(self, module: str, name: str):
        raise ValueError(f"a file of references holds plain lists and dicts, got an object {module}.{name}")


def read_references(refs: str | Path, instances: str | Path, split: str | None = None) -> list[Reference]:
    """One entry for every sentence of a split.

    Args:
        refs: ``refs(unc).p`` of RefCOCO, or the same as json.
        instances: its ``instances.json``.
        split: ``val``, ``testA``, ``testB``, ...; None for all.

    Raises:
        ValueError: no sentences of that split, or references to boxes that are not there.
    """
    path = Path(refs)
    if not path.is_file():
        raise FileNotFoundError(f"no references there: {path}")
    entries = _entries(path)
    document = read_coco(instances)
    files = {image["id"]: file_name(image) for image in document["images"]}
    by_picture: dict = {}
    for one in document["annotations"]:
        by_picture.setdefault(one["image_id"], []).append(one)
    found, splits = [], set()
    for entry in entries:
        splits.add(entry.get("split"))
        if split is not None and entry.get("split") != split:
            continue
        mine = by_picture.get(entry["image_id"], [])
        target = next((index for index, one in enumerate(mine) if one["id"] == entry["ann_id"]), None)
        if target is None:
            raise ValueError(f"reference {entry.get('ref_id')} means box {entry['ann_id']}, which {instances} lacks")
        boxes = np.array([one["bbox"] for one in mine], np.float64)
        boxes[:, 2:] += boxes[:, :2]
        texts = [sentence["sent"] for sentence in entry["sentences"]]
        found += [Reference(text, files[entry["image_id"]], boxes, target) for text in texts]
    if not found:
        raise ValueError(f"{path} has no sentences of the split {split!r}: it has {sorted(map(str, splits))}")
    return found


def _entries(path: Path) -> list[dict]:
    """References of a pickle or json, checked for what is read of them."""
    try:
        if path.suffix == ".json":
            entries = json.loads(path.read_text(encoding="utf-8"))
        else:
            with path.open("rb") as file:
                entries = _PlainUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no whole pickle of RefCOCO's (a download that broke off?): {error}") from None
    needed = ("image_id", "ann_id", "sentences")
    if not isinstance(entries, list) or any(not isinstance(one, dict) or set(needed) - set(one) for one in entries):
        raise ValueError(f"{path} must hold a list of references with {', '.join(needed)}: is it refs(unc).p?")
    return entries


def referring_accuracy(references: Sequence[Reference], chosen: Iterable[Sequence[float]], iou: float = 0.5) -> dict:
    """Share of the sentences whose chosen box (4,) xyxy is right.

    Returns:
        ``accuracy``: IoU above ``iou`` with the meant box. ``choice``: the very box was chosen, of those that the file
        has. ``sentences``, ``pictures``, ``boxes`` (mean a picture) and ``line``, which says how it was taken.
    """
    chosen = [np.asarray(box, float) for box in chosen]
    if len(chosen) != len(references):
        raise ValueError(f"{len(references)} sentences need as many boxes, got {len(chosen)}")
    overlaps = [box_iou(box, one.boxes[one.target]) for box, one in zip(chosen, references)]
    same = [np.allclose(box, one.boxes[one.target]) for box, one in zip(chosen, references)]
    pictures = {one.file: len(one.boxes) for one in references}
    result = dict(
        accuracy=float(np.mean([value > iou for value in overlaps])),
        choice=float(np.mean(same)),
        sentences=len(references),
        pictures=len(pictures),
        boxes=float(np.mean(list(pictures.values()))),
        iou=iou,
    )
    text = "{sentences} sentences, {pictures} pictures of {boxes:.1f} boxes, right where IoU is above {iou}"
    return result | dict(line=text.format(**result))


def box_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two xyxy boxes."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return shared / max(sum(areas) - shared, 1e-12)


def by_picture(references: Sequence[Reference]) -> Mapping[str, list[int]]:
    """Indices of the references of each picture."""
    groups: dict[str, list[int]] = {}
    for index, one in enumerate(references):
        groups.setdefault(one.file, []).append(index)
    return groups
