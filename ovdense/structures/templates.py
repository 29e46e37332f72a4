"""Prompt templates: sentences with one ``{}`` for the phrase; the named lists are ``assets/templates/*.txt``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "templates"


def template_names() -> list[str]:
    """Names of the shipped lists: ``single``, ``vild``, ``imagenet-80``, ..."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


@lru_cache
def _shipped(name: str) -> tuple[str, ...]:
    return tuple((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def resolve_templates(templates: str | Iterable[str] | None) -> tuple[str, ...]:
    """The template strings of a shipped name, one template, or a list of templates.

    None gives an empty tuple, which means "the text encoder's own default".

    Raises:
        ValueError: an unknown name, an empty list, or a template without exactly one ``{}``.
        TypeError: a template that is no string.
    """
    if templates is None:
        return ()
    if isinstance(templates, str):
        if "{}" not in templates:
            if templates not in template_names():
                raise ValueError(
                    f"templates are one of {', '.join(template_names())} or sentences with one '{{}}' each, "
                    f"got {templates!r}"
                )
            return _shipped(templates)
        templates = (templates,)
    resolved = tuple(templates)
    if not resolved:
        raise ValueError("a list of templates needs at least one; pass 'plain' to use the names as they are, got []")
    for position, template in enumerate(resolved):
        if not isinstance(template, str):
            raise TypeError(f"a template is a string with one '{{}}', got {template!r} at position {position}")
        if template.count("{}") != 1:
            raise ValueError(f"a template holds exactly one '{{}}', got {template!r} at position {position}")
    return resolved


def fill(template: str, phrase: str) -> str:
    """The sentence for one phrase; other braces in either stay as they are."""
    return template.replace("{}", phrase)
