"""Prompt templates: sentences with one ``{}`` for the phrase; ``models/vocabulary_files.py`` reads named lists."""

from __future__ import annotations

from collections.abc import Iterable


def parse_templates(templates: str | Iterable[str] | None) -> tuple[str, ...]:
    """One template or a list of templates, checked.

    None gives an empty tuple, which means "the text encoder's own default".

    Raises:
        ValueError: a name, an empty list, or a template without exactly one ``{}``.
        TypeError: a template that is no string.
    """
    if templates is None:
        return ()
    if isinstance(templates, str):
        if "{}" not in templates:
            raise ValueError(
                "templates are sentences with one '{}' each; ovdense.models.vocabulary_files.load_templates reads the "
                f"named lists, got {templates!r}"
            )
        templates = (templates,)
    parsed = tuple(templates)
    if not parsed:
        raise ValueError("a list of templates needs at least one; pass '{}' to use the names as they are, got []")
    for position, template in enumerate(parsed):
        if not isinstance(template, str):
            raise TypeError(f"a template is a string with one '{{}}', got {template!r} at position {position}")
        if template.count("{}") != 1:
            raise ValueError(f"a template holds exactly one '{{}}', got {template!r} at position {position}")
    return parsed


def fill(template: str, phrase: str) -> str:
    """The sentence for one phrase; other braces in either stay as they are."""
    return template.replace("{}", phrase)
