"""Vocabularies and prompt templates from files, and those that are shipped: ``assets/{vocabularies,templates}``."""

from __future__ import annotations

import difflib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from ovdense.structures import Vocabulary, parse_templates
from ovdense.structures.vocabulary_sources import (
    FILE_NAME,
    read_list,
    read_mapping,
    read_string,
    split_lines,
)

ASSETS = Path(__file__).resolve().parents[1] / "assets"


def vocabulary_names() -> list[str]:
    """Names of the shipped vocabularies: ``coco-80``, ``ade20k-150``, ..."""
    return sorted(path.stem for path in (ASSETS / "vocabularies").glob("*.json"))


def template_names() -> list[str]:
    """Names of the shipped lists of templates: ``single``, ``vild``, ``imagenet-80``, ..."""
    return sorted(path.stem for path in (ASSETS / "templates").glob("*.txt"))


def load_vocabulary(
    source,
    *,
    templates: str | Iterable[str] | None = None,
    separator: str | None = None,
    **parse_kwargs,
) -> Vocabulary:
    """A vocabulary from anything that names the classes: what users, configs and the command line give.

    Args:
        source: what ``Vocabulary.parse`` takes; the path of a .txt file (one class a line), a .json file or a COCO
            .json; or the name of a shipped vocabulary (``vocabulary_names()``).
        templates: what ``load_templates`` takes; None keeps what the source says.
        separator: what separates the synonyms on a line of a .txt file; '' for none, None for the rule of
            ``vocabulary_sources.split_lines``.
        parse_kwargs: ``background``, ``groups`` and ``duplicates``, as in ``Vocabulary.parse``.

    Raises:
        FileNotFoundError: no such file.
        ValueError, TypeError: with the position and the value that is wrong.
    """
    if isinstance(source, os.PathLike):
        source = read_file(Path(source), separator=separator)
    elif isinstance(source, str):
        source = read_name(source, separator=separator)
    if isinstance(source, Mapping) and isinstance(source.get("classes"), list) and source.get("templates"):
        source = {**source, "templates": load_templates(source["templates"])}
    if templates is not None:
        templates = load_templates(templates)
    return Vocabulary.parse(source, templates=templates, **parse_kwargs)


def things_and_stuff(things=None, stuff=None) -> Vocabulary:
    """One vocabulary, things first, with the groups ``thing`` and ``stuff``.

    Args:
        things: countable classes, anything that ``load_vocabulary`` takes; None for none.
        stuff: uncountable ones; None for none.
    """
    kinds = {"thing": things, "stuff": stuff}
    parts = {kind: load_vocabulary(source) for kind, source in kinds.items() if source is not None}
    if not parts:
        raise ValueError("name what to look for: things (countable), stuff (uncountable) or both; got neither")
    return Vocabulary.parse(
        dict(
            classes=[name for part in parts.values() for name in part.classes],
            phrases=[list(words) for part in parts.values() for words in part.phrases],
            groups={kind: list(part.classes) for kind, part in parts.items()},
        )
    )


def load_templates(templates: str | Iterable[str] | None) -> tuple[str, ...]:
    """The template strings of a shipped list, or what ``parse_templates`` takes.

    Raises:
        ValueError, TypeError: an unknown name, or what ``parse_templates`` refuses.
    """
    if not isinstance(templates, str) or "{}" in templates:
        return parse_templates(templates)
    if templates not in template_names():
        raise ValueError(
            f"templates are one of {', '.join(template_names())} or sentences with one '{{}}' each, got {templates!r}"
        )
    return _shipped_templates(templates)


@lru_cache
def _shipped_templates(name: str) -> tuple[str, ...]:
    return tuple((ASSETS / "templates" / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def read_name(text: str, *, separator: str | None = None) -> dict:
    """The fields of a shipped vocabulary, of a file, or of names written in the string itself."""
    stripped = text.strip()
    names = vocabulary_names()
    if stripped in names:
        return json.loads((ASSETS / "vocabularies" / f"{stripped}.json").read_text(encoding="utf-8"))
    if FILE_NAME.fullmatch(stripped):
        return read_file(Path(stripped).expanduser(), separator=separator)
    similar = difflib.get_close_matches(stripped, names, n=1, cutoff=0.8) if "\n" not in stripped else []
    if similar:
        warnings.warn(
            f"{stripped!r} is taken as a class name; the shipped vocabulary is called {similar[0]!r}", stacklevel=3
        )
    return read_string(text, separator=separator)


def read_file(path: Path, *, separator: str | None = None) -> dict:
    """The fields of a .txt file (one class a line) or a .json file (list, dict, our own form or COCO)."""
    if not path.is_file():
        raise FileNotFoundError(f"no vocabulary file there: {str(path)!r}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"a vocabulary file is UTF-8 text, got {str(path)!r}: {error}") from error
    try:
        if path.suffix.lower() != ".json":
            return read_list(split_lines(text.splitlines(), separator=separator))
        content = json.loads(text)
        return read_mapping(content) if isinstance(content, Mapping) else read_list(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"vocabulary file {str(path)!r}: {error}") from error
