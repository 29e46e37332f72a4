"""The words to look for: classes, their phrases, prompt templates, groups and the background policy.

Shapes: K classes, S phrases (synonyms) of all classes together, S >= K unless the background has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ovdense.structures.palette import BACKGROUND_COLOR, distinct_colors
from ovdense.structures.templates import parse_templates
from ovdense.structures.vocabulary_sources import normalize_name, read_source

POLICIES = ("none", "threshold", "names", "objectness")
BACKGROUND_NAMES = ("background", "__background__")


@dataclass(frozen=True)
class Background:
    """What happens to pixels that no class explains.

    Args:
        policy: ``none`` (every pixel takes a class), ``threshold`` (top probability below ``threshold`` is background),
            ``names`` (background phrases compete with the classes), ``objectness`` (the head's foreground map decides).
        threshold: probability in [0, 1]; may also be given with ``names``, as in the protocols of the SCLIP family.
        names: phrases of the background class, for ``names``.
    """

    policy: str = "none"
    threshold: float | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"background policy is one of {', '.join(POLICIES)}, got {self.policy!r}")
        if self.policy == "threshold" and self.threshold is None:
            raise ValueError("background policy 'threshold' needs a threshold in [0, 1], got None")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"the background threshold is a probability in [0, 1], got {self.threshold!r}")
        names = (self.names,) if isinstance(self.names, str) else tuple(self.names)
        names = tuple(normalize_name(name, f"background name {position}") for position, name in enumerate(names))
        if names and self.policy != "names":
            raise ValueError(f"background names go with the policy 'names', got {names} with policy {self.policy!r}")
        object.__setattr__(self, "names", names)

    @classmethod
    def parse(cls, source: Background | str | float | Mapping | Iterable[str] | None) -> Background:
        """A Background, a policy name, a threshold, a list of background names, a dict of the fields, or None."""
        if isinstance(source, Background):
            return source
        if source is None:
            return cls()
        if isinstance(source, str):
            return cls(policy=source)
        if isinstance(source, Mapping):
            return cls(**source)
        if isinstance(source, (int, float)):
            return cls(policy="threshold", threshold=float(source))
        return cls(policy="names", names=tuple(source))


@dataclass(frozen=True)
class Vocabulary:
    """K classes, each with one or more phrases (synonyms) that are encoded through the prompt templates.

    Args:
        classes: K names, as results show them.
        phrases: for each class the phrases that are encoded; the largest score of its phrases is the class's score.
        templates: sentences with one ``{}``; empty for the text encoder's own default.
        groups: class indices by group name (base/novel, seen/unseen, thing/stuff, ...).
        background: what happens to pixels that no class explains.
        colors: K RGB triples in 0..255; empty for generated ones.
    """

    classes: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    templates: tuple[str, ...] = ()
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    background: Background = field(default_factory=Background)
    colors: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("a vocabulary needs at least one class name, got none")
        if len(self.phrases) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes need as many lists of phrases, got {len(self.phrases)}")
        if self.colors and len(self.colors) != len(self.classes):
            raise ValueError(f"{len(self.classes)} classes need as many colours, got {len(self.colors)}")
        silent = [
            name for index, name in enumerate(self.classes) if not self.phrases[index] and not is_background(name)
        ]
        if silent:
            raise ValueError(f"every class but the background needs a phrase, got none for {silent}")

    @classmethod
    def parse(
        cls,
        source,
        *,
        templates: str | Iterable[str] | None = None,
        background: Background | str | float | Mapping | Iterable[str] | None = None,
        groups: Mapping[str, Iterable[int | str]] | None = None,
        duplicates: str = "error",
        separator: str | None = None,
    ) -> Vocabulary:
        """Builds a vocabulary from whatever names the classes, in memory.

        ``load_vocabulary`` of the models room takes files, shipped vocabularies and named templates as well.

        Args:
            source: a Vocabulary; a list of names, in which an item may be a list of synonyms whose first names the
                class; a dict of phrase -> class, of class -> list of phrases, or of COCO's form; a str: names separated
                by commas (``"person, man; dog"``: classes by semicolons, synonyms by commas), or one class a line.
            templates: one template, or a list of them; None keeps what the source says.
            background: see ``Background.parse``. Any policy but ``none`` adds a class ``background`` in front where
                the source has no class of that name.
            groups: class names or indices (into the source) by group name.
            duplicates: ``error``, or ``keep``: classes of one name stay apart and the first of them wins.
            separator: what separates the synonyms of a class in a str of lines; '' for none, None for the rule of
                ``vocabulary_sources.split_lines``.

        Raises:
            ValueError, TypeError: with the position and the value that is wrong.
        """
        if duplicates not in ("error", "keep"):
            raise ValueError(f"duplicates is 'error' or 'keep', got {duplicates!r}")
        if isinstance(source, Vocabulary):
            vocabulary = source
        else:
            fields = read_source(source, separator=separator)
            keep = "keep" in (duplicates, fields.pop("duplicates", "error"))
            vocabulary = _from_fields(**fields, check_duplicates=not keep)
        if groups is not None:
            vocabulary = replace(vocabulary, groups=_resolve_groups(groups, vocabulary.classes))
        if background is not None:
            vocabulary = vocabulary.with_background(background)
        return vocabulary if templates is None else vocabulary.with_templates(templates)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def num_phrases(self) -> int:
        return sum(map(len, self.phrases))

    @cached_property
    def flat_phrases(self) -> tuple[str, ...]:
        """All S phrases, class by class."""
        return tuple(phrase for phrases in self.phrases for phrase in phrases)

    @cached_property
    def class_index(self) -> tuple[int, ...]:
        """(S,) class of each phrase of ``flat_phrases``."""
        return tuple(index for index, phrases in enumerate(self.phrases) for _ in phrases)

    @cached_property
    def background_index(self) -> int | None:
        """Index of the class called background, None where there is none."""
        return next((index for index, name in enumerate(self.classes) if is_background(name)), None)

    @cached_property
    def palette(self) -> list[list[int]]:
        """K different RGB colours in 0..255; the background is black."""
        if self.colors:
            return [list(color) for color in self.colors]
        generated = iter(distinct_colors(self.num_classes))
        return [
            list(BACKGROUND_COLOR) if index == self.background_index else list(next(generated))
            for index in range(self.num_classes)
        ]

    @cached_property
    def digest(self) -> str:
        """Hex digest of everything but the colours: equal vocabularies, and only these, have equal digests."""
        content = {key: value for key, value in self.to_dict().items() if key != "colors"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.digest)

    def group(self, name: str) -> tuple[int, ...]:
        """Class indices of a group."""
        if name not in self.groups:
            raise ValueError(f"the vocabulary has the groups {sorted(self.groups) or 'none'}, got {name!r}")
        return self.groups[name]

    def subset(self, indices: Sequence[int]) -> Vocabulary:
        """Some of the classes, in the order of ``indices``; groups keep what is left of them."""
        position = {index: new for new, index in enumerate(indices)}
        groups = {name: tuple(position[i] for i in members if i in position) for name, members in self.groups.items()}
        return replace(
            self,
            classes=tuple(self.classes[index] for index in indices),
            phrases=tuple(self.phrases[index] for index in indices),
            groups=groups,
            background=self.background if self.background_index in position else Background(),
            colors=tuple(self.colors[index] for index in indices) if self.colors else (),
        )

    def with_templates(self, templates: str | Iterable[str] | None) -> Vocabulary:
        """The same classes through other templates; None for the text encoder's own default."""
        return replace(self, templates=parse_templates(templates))

    def with_background(self, background: Background | str | float | Mapping | Iterable[str] | None) -> Vocabulary:
        """The same classes under another background policy.

        Any policy but ``none`` puts a class ``background`` in front where there is none; ``names`` become its phrases.
        Under ``none`` a background class without phrases goes away.
        """
        background = Background.parse(background)
        index = self.background_index
        if background.policy == "none":
            silent = index is not None and not self.phrases[index]
            return replace(self._without(index) if silent else self, background=background)
        vocabulary = self._with_background_class() if index is None else self
        index = vocabulary.background_index
        phrases = list(vocabulary.phrases)
        phrases[index] = background.names or phrases[index]
        if background.policy == "names" and not phrases[index]:
            raise ValueError("background policy 'names' needs names, such as ['wall', 'sky', 'floor'], got none")
        return replace(vocabulary, phrases=tuple(phrases), background=background)

    def to_dict(self) -> dict:
        """Plain lists, dicts and strings, ready for json; ``from_dict`` and ``parse`` read it back."""
        background = self.background
        return dict(
            classes=list(self.classes),
            phrases=[list(phrases) for phrases in self.phrases],
            templates=list(self.templates),
            groups={name: list(indices) for name, indices in self.groups.items()},
            background=dict(policy=background.policy, threshold=background.threshold, names=list(background.names)),
            colors=[list(color) for color in self.colors],
        )

    @classmethod
    def from_dict(cls, content: Mapping) -> Vocabulary:
        """The inverse of ``to_dict``; only ``classes`` is required."""
        return _from_fields(**content, check_duplicates=False)

    def _with_background_class(self) -> Vocabulary:
        return replace(
            self,
            classes=("background", *self.classes),
            phrases=((), *self.phrases),
            groups={name: tuple(index + 1 for index in indices) for name, indices in self.groups.items()},
            colors=(BACKGROUND_COLOR, *self.colors) if self.colors else (),
        )

    def _without(self, index: int) -> Vocabulary:
        return self.subset([other for other in range(self.num_classes) if other != index])


def is_background(name: str) -> bool:
    """Whether a class name means "none of the others"."""
    return name.casefold() in BACKGROUND_NAMES


def _from_fields(
    *,
    classes: Iterable[str],
    phrases: Iterable[Iterable[str]] | None = None,
    templates: str | Iterable[str] | None = None,
    groups: Mapping[str, Iterable[int | str]] | None = None,
    background=None,
    colors: Iterable[Iterable[int]] = (),
    check_duplicates: bool,
) -> Vocabulary:
    """A checked vocabulary from the fields of ``Vocabulary.to_dict``."""
    classes = tuple(normalize_name(name, f"class name {position}") for position, name in enumerate(classes))
    if phrases is None:
        phrases = [(name,) for name in classes]
    phrases = tuple(
        tuple(
            dict.fromkeys(
                normalize_name(phrase, f"phrase {position} of class {index}") for position, phrase in enumerate(items)
            )
        )
        for index, items in enumerate(phrases)
    )
    if check_duplicates:
        _check_duplicates(classes, phrases)
    vocabulary = Vocabulary(
        classes=classes,
        phrases=phrases,
        templates=parse_templates(templates or None),
        groups=_resolve_groups(groups or {}, classes),
        colors=tuple(tuple(int(channel) for channel in color) for color in colors),
    )
    return vocabulary if background is None else vocabulary.with_background(background)


def _check_duplicates(classes: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> None:
    """Raises when two classes share a name or a phrase, whatever the case of its letters."""
    for kind, owned in (("class name", [(name,) for name in classes]), ("phrase", phrases)):
        positions: dict[str, list[int]] = {}
        for index, names in enumerate(owned):
            for name in {name.casefold(): name for name in names}:
                positions.setdefault(name, []).append(index)
        repeated = {name: where for name, where in positions.items() if len(where) > 1}
        if repeated:
            shown = "; ".join(f"{name!r} at {where}" for name, where in list(repeated.items())[:5])
            more = f" and {len(repeated) - 5} more" if len(repeated) > 5 else ""
            raise ValueError(
                f"{len(repeated)} {kind}(s) appear in several classes: rename them, or pass duplicates='keep' "
                f"(the first class wins), got {shown}{more}"
            )


def _resolve_groups(groups: Mapping[str, Iterable[int | str]], classes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Group members as class indices, checked."""
    where = {name: index for index, name in reversed(list(enumerate(classes)))}
    resolved = {}
    for group, members in groups.items():
        indices = []
        for member in members:
            index = where.get(member) if isinstance(member, str) else member
            if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(classes):
                raise ValueError(f"group {group!r} holds class names or indices 0..{len(classes) - 1}, got {member!r}")
            indices.append(index)
        resolved[group] = tuple(indices)
    return resolved
