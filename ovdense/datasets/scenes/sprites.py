"""The sprite atlas: drawings of the scenes' objects, one sheet a drawing style (see NOTICE for the artists)."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

ATLAS = Path(__file__).parents[2] / "assets" / "scenes"
HELD_OUT_STYLE = "fluent-emoji"  # the benchmark's "another drawing style": never trained on
TRAIN_STYLES = ("noto", "noto-v1", "fluent-emoji-flat", "fxemoji")  # of training and of all other splits


class SpriteAtlas:
    """Drawings by class and style; a sheet is read when its style is first used.

    Args:
        folder: ``index.json`` and one PNG a style, as ``tools/dataset_converters/build_sprite_atlas.py`` writes them.
    """

    def __init__(self, folder: Path = ATLAS) -> None:
        self.folder = Path(folder)
        index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
        self.sprite_size, self._columns, self._sheets = index["sprite_size"], index["columns"], index["styles"]
        self._cells: dict[str, dict[str, int]] = {}
        for sprite in index["sprites"]:
            self._cells.setdefault(sprite["class"], {})[sprite["style"]] = sprite["cell"]
        self._images: dict[str, np.ndarray] = {}

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(self._sheets)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(self._cells)

    def styles_of(self, name: str) -> tuple[str, ...]:
        """The styles in which a class was drawn."""
        if name not in self._cells:
            raise KeyError(f"the sprite atlas has no class {name!r}; it has {', '.join(self.classes)}")
        return tuple(self._cells[name])

    def get(self, name: str, style: str) -> np.ndarray:
        """(sprite_size, sprite_size, 4) RGBA uint8 drawing of a class in a style."""
        if style not in self.styles_of(name):
            raise KeyError(f"no {name!r} in style {style!r}; it is drawn in {', '.join(self.styles_of(name))}")
        row, column = divmod(self._cells[name][style], self._columns)
        size = self.sprite_size
        return self._sheet(style)[row * size : (row + 1) * size, column * size : (column + 1) * size]

    def _sheet(self, style: str) -> np.ndarray:
        if style not in self._images:
            encoded = np.fromfile(self.folder / self._sheets[style]["file"], np.uint8)
            self._images[style] = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
        return self._images[style]


@lru_cache(maxsize=4)
def load_atlas(folder: Path = ATLAS) -> SpriteAtlas:
    """The atlas of a folder, read once a process."""
    return SpriteAtlas(folder)
