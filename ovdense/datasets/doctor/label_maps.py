"""Label maps: whether they can be read, fit their pictures, and hold the ids that the reader expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ovdense.datasets.doctor.descriptions import parse_values
from ovdense.datasets.doctor.findings import Notebook

ENOUGH = 20  # maps from which shares of classes say something


@dataclass(frozen=True)
class LabelRules:
    """What label maps of a data set hold.

    Args:
        values: numbers of the classes in the files.
        ignore: numbers that are not scored.
        void_share: share of such pixels in [0, 1] that is plausible, from and to; wide bounds.
        common: ``dict(values=, at_least=)``: the share that these classes have at least, in any large sample.
        mistaken_for: other encodings by their marks: ``has`` (any of these values), ``lacks`` (none of these),
            ``min_maps``, ``level``, ``what``, ``remedy``.
    """

    values: frozenset[int]
    ignore: frozenset[int] = frozenset()
    void_share: tuple[float, float] | None = None
    common: Mapping | None = None
    mistaken_for: tuple[Mapping, ...] = ()

    @classmethod
    def parse(cls, rules: Mapping) -> LabelRules:
        return cls(
            values=parse_values(rules["values"]),
            ignore=parse_values(rules.get("ignore", "")),
            void_share=tuple(rules["void_share"]) if rules.get("void_share") else None,
            common=rules.get("common"),
            mistaken_for=tuple(rules.get("mistaken_for", ())),
        )


@dataclass
class LabelCounts:
    """Pixel counts of every value over the maps that were opened, and files that could not be counted."""

    pixels: np.ndarray = field(default_factory=lambda: np.zeros(65536, np.int64))
    files: np.ndarray = field(default_factory=lambda: np.zeros(65536, np.int64))
    maps: int = 0
    coloured: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    odd_size: list[str] = field(default_factory=list)
    example: dict[int, str] = field(default_factory=dict)

    def add(self, image: Path, label: Path, size: list[int] | None, rules: LabelRules) -> None:
        """Opens a picture and its label map."""
        shape = self._open(image)
        values = self._read(label)
        if shape is None or values is None:
            return
        if shape != values.shape[::-1]:
            self.shapes.append(f"{label.name} {values.shape[1]}x{values.shape[0]}, picture {shape[0]}x{shape[1]}")
        if size and list(shape) != list(size):
            self.odd_size.append(f"{image.name} {shape[0]}x{shape[1]}")
        counts = np.bincount(values.ravel(), minlength=65536)
        for value in np.flatnonzero(counts).tolist():
            if value not in rules.values and value not in rules.ignore:
                self.example.setdefault(value, label.name)
        self.pixels += counts
        self.files += counts > 0
        self.maps += 1

    def _open(self, path: Path) -> tuple[int, int] | None:
        try:
            with Image.open(path) as image:
                image.load()
                return image.size
        except (OSError, ValueError, SyntaxError):
            self.unreadable.append(path.name)
            return None

    def _read(self, path: Path) -> np.ndarray | None:
        """(H, W) values; palette images give their index."""
        try:
            with Image.open(path) as image:
                mode, values = image.mode, np.asarray(image)
        except (OSError, ValueError, SyntaxError):
            self.unreadable.append(path.name)
            return None
        if values.ndim != 2 or values.dtype == bool:
            self.coloured.append(f"{path.name} ({mode})")
            return None
        if values.dtype != np.uint8:
            self.deep.append(f"{path.name} ({mode})")
            values = np.clip(values, 0, 65535)
        return values.astype(np.int64)


def check_labels(notes: Notebook, counts: LabelCounts, rules: LabelRules, *, names, convert: str, whole: bool) -> None:
    """Findings from the counts.

    Args:
        names: class names in the order of ``rules.values``.
        convert: what writes right maps.
        whole: all official maps were opened, so that missing classes mean something.
    """
    _check_files(notes, counts, rules, convert)
    if not counts.maps:
        return
    seen = frozenset(np.flatnonzero(counts.pixels).tolist())
    total = int(counts.pixels.sum())
    void = sum(int(counts.pixels[value]) for value in rules.ignore) / total
    present = rules.values & seen
    notes.facts.update(maps_opened=counts.maps, classes_seen=len(present), classes=len(rules.values))
    notes.facts.update(void_share=round(void, 4), values=_ranges(seen))
    known = _check_encodings(notes, counts, rules, seen, convert)
    strange = sorted(seen - rules.values - rules.ignore)
    if strange and not known:
        what = f"ids outside {_ranges(rules.values | rules.ignore)}: {_ranges(strange)}"
        notes.error("id_range", what, convert, [counts.example[value] for value in strange])
    if not known and not strange:
        _check_shares(notes, counts, rules, void, convert)
        absent = sorted(rules.values - seen)
        if absent and whole:
            order = sorted(rules.values)
            words = [f"{value} {names[order.index(value)]}" if names else str(value) for value in absent]
            what = f"{len(absent)} of {len(rules.values)} classes have no pixel in all {counts.maps} maps"
            notes.warning("class_count", what, "unusual for the whole official set: compare the maps' ids", words)


def _check_files(notes: Notebook, counts: LabelCounts, rules: LabelRules, convert: str) -> None:
    if counts.unreadable:
        remedy = "unpack or download them again"
        notes.error("unreadable", f"{len(counts.unreadable)} files cannot be read", remedy, counts.unreadable)
    if counts.coloured:
        what = f"{len(counts.coloured)} label maps are colours or bits, not class numbers"
        notes.error("bit_depth", what, f"label maps are grey or palette PNGs of 8 bits: {convert}", counts.coloured)
    if counts.deep and max(rules.values | rules.ignore) < 256:
        what = f"{len(counts.deep)} label maps have 16 or more bits; 8 are expected"
        notes.warning("bit_depth", what, "instance ids, or saved with too many bits: " + convert, counts.deep)
    if counts.shapes:
        remedy = "pictures or maps were resized or mixed up: take both from the official archives"
        notes.error(
            "size", f"{len(counts.shapes)} label maps have another size than the picture", remedy, counts.shapes
        )
    if counts.odd_size:
        what = f"{len(counts.odd_size)} pictures have not the official size"
        notes.warning("size", what, "figures of papers are taken at the official size", counts.odd_size)


def _check_encodings(notes: Notebook, counts: LabelCounts, rules: LabelRules, seen: frozenset, convert: str) -> bool:
    """Says which other encoding the maps are in; True if it explains the ids."""
    known = False
    for other in rules.mistaken_for:
        has, lacks = parse_values(other.get("has", "")), parse_values(other.get("lacks", ""))
        if counts.maps < other.get("min_maps", 1) or (has and not has & seen) or lacks & seen:
            continue
        files = int(counts.files[sorted(has)].max()) if has else counts.maps
        level = other.get("level", "error")
        remedy = other["remedy"].format(convert=convert)
        notes.add(level, "label_shift", f"{other['what']} (in {files} of {counts.maps} maps)", remedy)
        known |= level == "error"
    return known


def _check_shares(notes: Notebook, counts: LabelCounts, rules: LabelRules, void: float, convert: str) -> None:
    if counts.maps < ENOUGH:
        return
    if rules.void_share and not rules.void_share[0] <= void <= rules.void_share[1]:
        low, high = rules.void_share
        what = f"{void:.1%} of the pixels are void, usual are {low:.1%} to {high:.0%}"
        notes.warning("void_share", what, f"a class may have become void, or void a class: {convert}")
    if rules.common:
        values = parse_values(rules.common["values"])
        scored = sum(int(counts.pixels[value]) for value in rules.values) or 1
        share = sum(int(counts.pixels[value]) for value in values) / scored
        if share < rules.common["at_least"]:
            what = (
                f"the common classes {_ranges(values)} have {share:.1%} of the pixels, usually over "
                f"{rules.common['at_least']:.0%}: the numbers may be shifted or of another order"
            )
            notes.warning("label_shift", what, convert)


def _ranges(values) -> str:
    """``0-18, 255``."""
    parts, values = [], sorted(values)
    for value in values:
        if parts and parts[-1][1] == value - 1:
            parts[-1][1] = value
        else:
            parts.append([value, value])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts[:12])
