"""Descriptions of data sets as data: ``assets/datasets/NAME.json``.

| key | meaning |
|---|---|
| ``title``, ``home``, ``get`` | what it is, where it is to be had, the archives |
| ``root`` | its folder in the configs |
| ``configs`` | files of ``configs/_base_/datasets`` that read it |
| ``also`` | other names of the same files |
| ``vocabulary`` | shipped vocabulary with its classes |
| ``convert`` | command that writes derived files; ``{root}`` is the folder |
| ``labels`` | rules of label maps, see ``label_maps.LabelRules`` |
| ``parts`` | splits, each with ``name``, ``kind``, file patterns and official ``count`` |
| ``apart`` | pairs of parts whose split lists must not share a picture |

A pattern such as ``leftImg8bit/val/{key}_leftImg8bit.png`` stands for all files below the folder; ``key`` is what a
picture and its labels share, with subfolders.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "datasets"
KINDS = ("label_maps", "heat_maps", "points", "instances", "lvis", "panoptic")


def dataset_names() -> list[str]:
    """Names of all described data sets, other names of the same files left out."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load_description(name: str) -> dict:
    """The description of a data set by its name, an ``also`` name or the name of a base config.

    Raises:
        ValueError: no such data set, with the nearest names.
    """
    for stem in dataset_names():
        content = json.loads((FOLDER / f"{stem}.json").read_text(encoding="utf-8"))
        if name in (stem, *content.get("also", ()), *content["configs"]):
            return dict(content, name=stem)
    near = difflib.get_close_matches(name, dataset_names(), n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else "ovdense data list shows them all"
    raise ValueError(f"no description of a data set named {name!r}: {hint}")


def conversion(description: dict, root) -> str:
    """The command that writes the derived files of a data set, or where its files come from."""
    command = description.get("convert", "")
    return command.format(root=root) if command else f"get {', '.join(description['get'])} from {description['home']}"


def parse_values(text: str) -> frozenset[int]:
    """``"0-18,255"`` -> the numbers."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
