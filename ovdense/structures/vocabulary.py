"""The words to look for: classes, their phrases, prompt templates, groups and the background policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Background:
    """What happens to pixels that no class explains.

    Args:
        policy: ``none`` (every pixel takes a class), ``threshold`` (top probability below ``threshold`` is background),
            ``names`` (background phrases compete with the classes), ``objectness`` (the head's foreground map decides).
        threshold: probability in [0, 1].
        names: phrases of the background class, for ``names``.
    """

    policy: str = "none"
    threshold: float | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """K classes, each with one or more phrases (synonyms) that are encoded through the prompt templates."""

    classes: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...] = ("a photo of a {}.",)
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    background: Background = field(default_factory=Background)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def flat_phrases(self) -> tuple[str, ...]:
        """All S phrases, class by class."""
        return tuple(phrase for phrases in self.phrases for phrase in phrases)

    @property
    def class_index(self) -> tuple[int, ...]:
        """(S,) class of each phrase of ``flat_phrases``."""
        return tuple(index for index, phrases in enumerate(self.phrases) for _ in phrases)
