"""The fixed validation scenes: pictures in PNG sheets, so that results do not depend on versions of OpenCV or NumPy.

A sub-set is ``<name>.png`` (RGB), ``<name>_labels.png`` and ``<name>_instances.png`` (uint8), sheets of scenes row by
row, and ``<name>.json`` with the labels and what is known about every scene.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ovdense.datasets.scenes.generator import IGNORE_LABEL, Scene, SceneObject
from ovdense.datasets.scenes.sprites import ATLAS

FIXED = ATLAS / "val"
COLUMNS = 10
# The classes of each sub-set's pictures
FIXED_VOCABULARIES = {
    "base": "scenes-48",
    "composition": "scenes-composition-76",
    "full": "scenes-143",
    "style": "scenes-48",
    "synonyms": "scenes-synonyms-53",
    "unseen": "scenes-unseen-40",
}


class FixedScenes:
    """The scenes of a shipped sub-set; ``scenes[index]`` is a ``Scene``, as of a ``SceneGenerator``.

    Args:
        name: a sub-set (``fixed_names()``).
        folder: where the sheets are.
    """

    def __init__(self, name: str, folder: Path = FIXED) -> None:
        if name not in fixed_names(folder):
            raise ValueError(f"fixed scenes are one of {', '.join(fixed_names(folder))}; got {name!r}")
        self.name, path = name, Path(folder) / name
        self._facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.labels = tuple(self._facts["labels"])
        self._image = _read(path.with_suffix(".png"), cv2.IMREAD_COLOR)[..., ::-1]
        self._semantic = _read(Path(f"{path}_labels.png"), cv2.IMREAD_GRAYSCALE)
        self._instances = _read(Path(f"{path}_instances.png"), cv2.IMREAD_GRAYSCALE)

    def __len__(self) -> int:
        return len(self._facts["scenes"])

    def __getitem__(self, index: int) -> Scene:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} fixed scenes, got index {index}")
        height, width = self._facts["size"]
        row, column = divmod(index, COLUMNS)
        window = slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width)
        facts = self._facts["scenes"][index]
        objects = tuple(SceneObject(**{**item, "box": tuple(item["box"])}) for item in facts["objects"])
        maps = (sheet[window].copy() for sheet in (self._image, self._semantic, self._instances))
        return Scene(*maps, objects, tuple(facts["stuff"]), facts["caption"], self.labels)


def fixed_names(folder: Path = FIXED) -> tuple[str, ...]:
    """Names of the fixed sub-sets."""
    return tuple(sorted(path.stem for path in Path(folder).glob("*.json")))


@lru_cache(maxsize=16)
def load_fixed_scenes(name: str) -> FixedScenes:
    """A shipped sub-set, read once a process."""
    return FixedScenes(name)


def write_fixed_scenes(name: str, scenes: Sequence[Scene], folder: Path = FIXED, bits: int = 6) -> Path:
    """Write scenes of one size as a sub-set; colours are rounded to ``bits`` bits, which halves the file."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = sorted({scene.labels[i] for scene in scenes for i in np.unique(scene.semantic) if i != IGNORE_LABEL})
    levels = 2**bits - 1
    pictures = [(np.round(scene.image / 255.0 * levels) * 255 / levels).round().astype(np.uint8) for scene in scenes]
    path = folder / name
    _write(path.with_suffix(".png"), [picture[..., ::-1] for picture in pictures])
    _write(Path(f"{path}_labels.png"), [scene.semantic_as(labels) for scene in scenes])
    _write(Path(f"{path}_instances.png"), [scene.instances for scene in scenes])
    facts = [
        dict(caption=scene.caption, stuff=scene.stuff, objects=list(map(_plain, scene.objects))) for scene in scenes
    ]
    lines = ",\n  ".join(json.dumps(entry) for entry in facts)
    head = f'{{\n "size": {list(scenes[0].semantic.shape)},\n "labels": {json.dumps(labels)},\n'
    path.with_suffix(".json").write_text(f'{head} "scenes": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    return path.with_suffix(".json")


def _plain(item: SceneObject) -> dict:
    return {**vars(item), "visible": round(item.visible, 4), "ignored": bool(item.ignored)}


def _read(path: Path, flag: int) -> np.ndarray:
    return cv2.imdecode(np.fromfile(path, np.uint8), flag)


def _write(path: Path, tiles: Sequence[np.ndarray]) -> None:
    """Tiles row by row in one PNG; empty places at the end are 0."""
    blank = [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    tiles = [*tiles, *blank]
    rows = [np.hstack(tiles[start : start + COLUMNS]) for start in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])
