"""Label maps rewritten value by value: resumable, atomic, with progress. Shared by the converters of ``tools``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

IGNORED = 255
# Cityscapes' labelIds of the 19 classes that are scored, in the order of the trainIds.
CITYSCAPES_LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
# Ids from 1 to 182 of COCO-Stuff that no class has.
COCO_STUFF_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91)


def table_of(mapping: Mapping[int, int], rest: int = IGNORED, size: int = 256) -> np.ndarray:
    """(size,) what becomes of each value; those that the mapping does not name become ``rest``."""
    table = np.full(size, rest, np.uint8)
    for old, new in mapping.items():
        table[old] = new
    return table


def cityscapes_table() -> np.ndarray:
    """labelIds -> trainIds."""
    return table_of({old: new for new, old in enumerate(CITYSCAPES_LABEL_IDS)})


def coco_stuff_table() -> np.ndarray:
    """The download's ids minus one (0 to 181) -> trainIds (0 to 170)."""
    used = [number - 1 for number in range(1, 183) if number not in COCO_STUFF_UNUSED]
    return table_of({old: new for new, old in enumerate(used)})


def by_name(names: Mapping[str, str], old: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """A table from names of old classes to names of new ones.

    Raises:
        ValueError: a name that the lists do not have.
    """
    unknown = [name for name in names if name not in old] + [name for name in names.values() if name not in new]
    if unknown:
        raise ValueError(f"no such classes: {', '.join(unknown)}")
    return table_of({old.index(first): new.index(second) for first, second in names.items()})


def read_index_map(path: Path) -> np.ndarray:
    """(H, W) values of a label map; palette images give their index.

    Raises:
        ValueError: a coloured picture.
    """
    with Image.open(path) as image:
        labels = np.asarray(image)
    if labels.ndim != 2:
        raise ValueError(f"{path} is a picture of colours, not of class numbers: take the index PNGs of the download")
    return labels


def write_map(path: Path, labels: np.ndarray) -> None:
    """Writes a PNG beside its place and renames it, so that no half file is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    Image.fromarray(np.asarray(labels, np.uint8)).save(partial, "PNG")
    os.replace(partial, path)


def convert_maps(
    pairs: Iterable[tuple[Path, Path]],
    table: np.ndarray,
    *,
    force: bool = False,
    progress: Callable[[Sequence], Iterable] = lambda items: items,
) -> int:
    """Writes each target that is not there yet; returns how many were written.

    Args:
        pairs: source and target.
        table: (256,) or longer, what becomes of each value.
        force: write those that are there already, too.

    Raises:
        ValueError: a map with values beyond the table, by name.
    """
    todo = [(source, target) for source, target in pairs if force or not target.is_file()]
    for source, target in progress(todo):
        labels = read_index_map(source)
        if labels.size and int(labels.max()) >= len(table):
            raise ValueError(f"{source} holds {int(labels.max())}, known are values up to {len(table) - 1}")
        write_map(target, table[labels])
    return len(todo)
