"""Seen and unseen classes of zero-shot segmentation, by name: ``assets/splits/NAME.json``.

``voc-15-5``, ``coco-stuff-156-15`` and ``context-49-10`` are the splits of SPNet and ZegCLIP (arXiv 2212.03588);
``voc-unseen-2`` to ``voc-unseen-10`` those of ZS3Net and CLIPSeg. A split of your own is a list of names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ovdense.models.vocabulary_files import ASSETS, load_vocabulary


@dataclass(frozen=True)
class ZeroShotSplit:
    """Classes that training must not see.

    Args:
        name: of a shipped split, or what you call yours.
        unseen: names of the unseen classes.
        vocabulary: shipped vocabulary whose classes these are; None for one of your own.
    """

    name: str
    unseen: tuple[str, ...]
    vocabulary: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes of the vocabulary, in the order of the labels.

        Raises:
            ValueError: a split without vocabulary.
        """
        if self.vocabulary is None:
            raise ValueError(f"the split {self.name!r} has no vocabulary: give the classes of the data set")
        return load_vocabulary(self.vocabulary).classes

    def groups(self, classes: Sequence[str] | None = None) -> dict[str, list[int]]:
        """``dict(seen=, unseen=)`` with the indices in a list of classes (default: the vocabulary's).

        Classes that only one of the lists has, such as a background, are seen.

        Raises:
            ValueError: unseen names that are not among the classes.
        """
        classes = list(self.classes if classes is None else classes)
        missing = [name for name in self.unseen if name not in classes]
        if missing:
            raise ValueError(
                f"the split {self.name!r} holds back {', '.join(missing)}, which are not among the {len(classes)} "
                f"classes {', '.join(classes[:8])}, ...: write names as the data set does"
            )
        unseen = [index for index, name in enumerate(classes) if name in self.unseen]
        return dict(seen=[index for index in range(len(classes)) if index not in unseen], unseen=unseen)


def split_names() -> list[str]:
    """Names of the shipped splits."""
    return sorted(path.stem for path in (ASSETS / "splits").glob("*.json"))


def load_split(split: str | Iterable[str] | ZeroShotSplit) -> ZeroShotSplit:
    """A split by its name, or from the names of the unseen classes.

    Raises:
        ValueError: no such split, or no name.
    """
    if isinstance(split, ZeroShotSplit):
        return split
    if not isinstance(split, str):
        names = tuple(split)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a split names at least one unseen class, each once, got {list(names)}")
        return ZeroShotSplit(name=f"{len(names)} unseen", unseen=names)
    if split not in split_names():
        raise ValueError(f"zero-shot splits are {', '.join(split_names())} or a list of class names, got {split!r}")
    content = json.loads((ASSETS / "splits" / f"{split}.json").read_text(encoding="utf-8"))
    return ZeroShotSplit(name=split, unseen=tuple(content["unseen"]), vocabulary=content["vocabulary"])
