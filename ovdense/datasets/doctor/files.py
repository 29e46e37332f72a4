"""Files of a part: which are there, which belong together, and split lists."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ovdense.datasets.doctor.findings import Notebook


class Pattern:
    """Files ``folder/**/<before>{key}<after>`` of a root; ``key`` keeps the subfolders.

    Args:
        text: the pattern, relative to the root.
        without: endings of files that are not meant.
    """

    def __init__(self, text: str, without: Sequence[str] = ()) -> None:
        before, _, self.after = text.partition("{key}")
        folder, _, self.before = before.rpartition("/")
        self.folder, self.without = folder, tuple(without)

    def path(self, root: Path, key: str) -> Path:
        folder, _, name = key.rpartition("/")
        return root / self.folder / folder / f"{self.before}{name}{self.after}"

    def find(self, root: Path) -> dict[str, Path]:
        """Key -> file, by key; empty where the folder is not there."""
        found, start = {}, root / self.folder
        for folder, _, names in os.walk(start, followlinks=True):
            inner = Path(folder).relative_to(start).as_posix()
            for name in names:
                if self._matches(name):
                    key = name[len(self.before) : len(name) - len(self.after)]
                    found[key if inner == "." else f"{inner}/{key}"] = Path(folder) / name
        return dict(sorted(found.items()))

    def _matches(self, name: str) -> bool:
        if not name.startswith(self.before) or not name.endswith(self.after) or name.startswith("."):
            return False
        return not any(name.endswith(ending) for ending in self.without)


def first_present(root: Path, patterns: str | Sequence[str], without: Sequence[str] = ()) -> Pattern:
    """The first pattern that has files, else the first."""
    choices = [Pattern(text, without) for text in ([patterns] if isinstance(patterns, str) else patterns)]
    return next((choice for choice in choices if choice.find(root)), choices[0])


def check_count(notes: Notebook, found: int, official, what: str, remedy: str, subset: bool = False) -> None:
    """Compares a number with the official one (a number or a list of numbers that papers state)."""
    allowed = official if isinstance(official, (list, tuple)) else [official]
    if official is None or found in allowed:
        return
    text = f"{found} {what}, officially {' or '.join(map(str, allowed))}"
    if subset:
        notes.note("count", text)
    elif found < min(allowed):
        notes.error("count", text, f"the download or its unpacking broke off, or this is a subset: {remedy}")
    else:
        notes.error("count", text, "files of another set or edition lie among them: " + remedy)


def read_list(notes: Notebook, path: Path) -> list[str] | None:
    """Keys of a split list; None where the file is not there."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    keys = [line.split()[0] for line in lines if line.strip()]
    if len(keys) < len(lines):
        notes.warning("split_list", f"{len(lines) - len(keys)} empty lines in {path.name}", "delete them")
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        notes.error("split_list", f"{len(twice)} names twice in {path.name}", "take the official list", twice)
    odd = [line.strip() for line in lines if len(line.split()) > 1]
    if odd:
        remedy = "mmseg takes a whole line for the name: one name a line, nothing after it"
        notes.warning("split_list", f"{len(odd)} lines of {path.name} hold more than a name", remedy, odd)
    return list(dict.fromkeys(keys))


def check_pairs(notes: Notebook, images: dict, labels: dict, listed: list[str] | None, remedy: str) -> list[str]:
    """Finds pictures without labels and the reverse; returns the keys that have both."""
    wanted = list(images) if listed is None else listed
    lost = [key for key in wanted if key not in images]
    if lost:
        what = f"{len(lost)} of {len(wanted)} pictures of the split list are not there"
        notes.error("split_list", what, "unpack the pictures, or take the list of this edition", lost)
    bare = [key for key in wanted if key in images and key not in labels]
    if bare:
        notes.error("pairs", f"{len(bare)} of {len(wanted)} pictures have no labels", remedy, bare)
    if listed is None:
        lone = [key for key in labels if key not in images]
        if lone:
            what = f"{len(lone)} of {len(labels)} label files have no picture"
            notes.error("pairs", what, "unpack the pictures again, or delete these label files", lone)
    return [key for key in wanted if key in images and key in labels]


def check_empty(notes: Notebook, files: Iterable[Path]) -> None:
    empty = [path for path in files if path.stat().st_size == 0]
    if empty:
        notes.error("empty", f"{len(empty)} files of 0 bytes", "unpack them again", [path.name for path in empty])


def find_duplicates(files: Sequence[Path], limit: int | None = None) -> list[tuple[Path, ...]]:
    """Groups of files of equal content; ``limit`` bounds how many files of equal size are read."""
    sizes = defaultdict(list)
    for path in files:
        sizes[path.stat().st_size].append(path)
    same_size = [path for group in sizes.values() if len(group) > 1 for path in group][:limit]
    digests = defaultdict(list)
    for path in same_size:
        digests[hashlib.sha256(path.read_bytes()).digest()].append(path)
    return [tuple(group) for group in digests.values() if len({path.resolve() for path in group}) > 1]


def spread(items: Sequence, number: int | None) -> list:
    """``number`` items evenly from first to last; all for None."""
    if number is None or number >= len(items):
        return list(items)
    return [items[index * len(items) // number] for index in range(number)]
