"""Sentences about scenes: names, allowed synonyms, hypernyms ("animal", "fruit") and attributes ("red").

The facts are data (``assets/scenes/captions.json``). The words of the benchmark's synonym split and the names of its
unseen objects are not among them, so that no model meets them in a caption.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from numpy.random import Generator

from ovdense.datasets.scenes.shapes import composition_parts, is_composition
from ovdense.datasets.scenes.sprites import ATLAS

# How often an object is called by its name alone, with an attribute, by a synonym; by a hypernym otherwise.
NAMED, WITH_ATTRIBUTE, BY_SYNONYM = 0.55, 0.15, 0.2


class CaptionFacts:
    """What else scenes' objects and textures are called.

    Args:
        path: a json file with ``templates`` (sentences with ``{things}`` and ``{stuff}``), ``hypernyms`` (the names
            below each), ``synonyms`` and ``attributes`` by name.
    """

    def __init__(self, path: str | Path = ATLAS / "captions.json") -> None:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        self.templates: list[str] = facts["templates"]
        self._synonyms, self._attributes = facts["synonyms"], facts["attributes"]
        self._hypernyms: dict[str, list[str]] = {}
        for hypernym, names in facts["hypernyms"].items():
            for name in names:
                self._hypernyms.setdefault(name, []).append(hypernym)

    def synonyms(self, name: str) -> tuple[str, ...]:
        return tuple(self._synonyms.get(name, ()))

    def attributes(self, name: str) -> tuple[str, ...]:
        """Adjectives that go before the name."""
        return tuple(self._attributes.get(name, ()))

    def hypernyms(self, name: str) -> tuple[str, ...]:
        """Kinds that a thing is one of, the widest first; shapes are named by their shape, too."""
        if is_composition(name):
            shape, colour, _ = composition_parts(name)
            return ("shape", f"{colour} shape", shape)
        return tuple(self._hypernyms.get(name, ()))

    def words(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names and all their synonyms and hypernyms, each once: everything that may be said of a picture."""
        groups = [(name, *self.synonyms(name), *self.hypernyms(name)) for name in names]
        return tuple(dict.fromkeys(word for group in groups for word in group))

    def phrase(self, rng: Generator, name: str) -> str:
        """What a sentence calls a thing: its name, mostly."""
        draw = rng.random()
        if draw < NAMED:
            return name
        if draw < NAMED + WITH_ATTRIBUTE:
            attribute = _one_of(rng, self.attributes(name))
            return f"{attribute} {name}" if attribute else name
        others = self.synonyms(name) if draw < NAMED + WITH_ATTRIBUTE + BY_SYNONYM else self.hypernyms(name)
        return _one_of(rng, others) or name

    def sentence(self, rng: Generator, things: Sequence[str], stuff: Sequence[str]) -> str:
        """A sentence about things (a name for each object) and textures."""
        template = self.templates[rng.integers(len(self.templates))]
        counts = {name: things.count(name) for name in dict.fromkeys(things)}
        phrases = [_counted(self.phrase(rng, name), count) for name, count in counts.items()]
        grounds = [self.phrase(rng, name) for name in stuff]
        return template.format(things=" and ".join(phrases) or "nothing", stuff=" and ".join(grounds) or "something")


@lru_cache(maxsize=1)
def load_caption_facts() -> CaptionFacts:
    """The shipped facts, read once a process."""
    return CaptionFacts()


def _one_of(rng: Generator, words: Sequence[str]) -> str:
    return words[rng.integers(len(words))] if words else ""


def _counted(name: str, count: int) -> str:
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name}" if count == 1 else f"{count} times {article} {name}"
