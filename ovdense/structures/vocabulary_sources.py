"""Reads class names from lists, dicts and strings; ``models/vocabulary_files.py`` reads files and shipped vocabularies.

Every reader gives a dict with the fields of ``Vocabulary.to_dict`` (``classes`` at least).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

FIELDS = {"classes", "phrases", "templates", "groups", "background", "colors", "duplicates"}
# What is read from elsewhere: a file name, or a shipped vocabulary, all of which end in their number of classes.
FILE_NAME = re.compile(r".*\.(txt|json)", re.IGNORECASE | re.DOTALL)
SHIPPED_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*-\d+")


def normalize_name(name: object, what: str) -> str:
    """The name with surrounding and repeated whitespace removed; raises for empty names and for non-strings."""
    if not isinstance(name, str):
        raise TypeError(f"{what} has to be a string, got {name!r} ({type(name).__name__})")
    stripped = " ".join(name.split())
    if not stripped:
        raise ValueError(f"{what} is empty: remove it or give it a name, got {name!r}")
    return stripped


def read_source(source: object, *, separator: str | None = None) -> dict:
    """The fields of a vocabulary from any source that ``Vocabulary.parse`` accepts."""
    if isinstance(source, str):
        refuse_reference(source)
        return read_string(source, separator=separator)
    if isinstance(source, Mapping):
        return read_mapping(source)
    if isinstance(source, (set, frozenset)):
        raise TypeError(f"the order of the names is the order of the classes: pass a list, got a set of {len(source)}")
    if isinstance(source, Iterable) and not isinstance(source, (bytes, bytearray)):
        return read_list(source)
    raise TypeError(
        "a vocabulary is a list of names, a dict of phrase -> class or comma separated names; load_vocabulary takes "
        f"also .txt and .json files and the name of a shipped one, got {source!r} ({type(source).__name__})"
    )


def refuse_reference(text: str) -> None:
    """Raises for a string that looks like a file or a shipped vocabulary rather than like names."""
    stripped = text.strip()
    if FILE_NAME.fullmatch(stripped) or SHIPPED_NAME.fullmatch(stripped):
        raise ValueError(
            "files and shipped vocabularies are read by ovdense.apis.load_vocabulary, and a class of such a name is "
            f"given in a list, got {text!r}"
        )


def read_string(text: str, *, separator: str | None = None) -> dict:
    """Names written in the string itself: by lines, or by commas, or classes by semicolons and synonyms by commas."""
    stripped = text.strip()
    if not stripped:
        raise ValueError(f"a vocabulary needs at least one class name, got {text!r}")
    if "\n" in stripped:
        return read_list(split_lines(stripped.splitlines(), separator=separator))
    if ";" in stripped:
        return read_list([item.split(",") for item in stripped.strip("; ").split(";")])
    return read_list(stripped.removesuffix(",").split(","))


def split_lines(lines: list[str], *, separator: str | None = None) -> list[list[str]]:
    """One class a line -> its synonyms, the first of which names the class.

    Lines with a semicolon anywhere separate synonyms by semicolons; lines without one separate them by commas, as the
    files of the SCLIP family do. ``separator`` overrules this, '' keeps every line whole. Empty lines at the end do not
    count.
    """
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    if separator is None:
        separator = ";" if any(";" in line for line in lines) else ","
    if not separator:
        return [[line] for line in lines]
    return [line.strip().removesuffix(separator).split(separator) for line in lines]


def read_list(items: Iterable) -> dict:
    """Names, or lists of synonyms whose first names the class."""
    classes, phrases = [], []
    for position, item in enumerate(items):
        synonyms = list(item) if isinstance(item, (list, tuple)) else [item]
        if not synonyms:
            raise ValueError(f"class {position} has no name, got {item!r}")
        names = [normalize_name(name, f"class name {position}") for name in synonyms]
        classes.append(names[0])
        phrases.append(names)
    if not classes:
        raise ValueError("a vocabulary needs at least one class name, got an empty list")
    return dict(classes=classes, phrases=phrases)


def read_mapping(content: Mapping) -> dict:
    """Our own form, COCO json, names by class index, phrase -> class, or class -> list of phrases."""
    if isinstance(content.get("classes"), list):
        unknown = set(content) - FIELDS
        if unknown:
            raise ValueError(f"a vocabulary has the fields {sorted(FIELDS)}, got also {sorted(unknown)}")
        return dict(content)
    if isinstance(content.get("categories"), list):
        return read_coco(content["categories"])
    if not content:
        raise ValueError("a vocabulary needs at least one class name, got an empty dict")
    if all(str(key).isdecimal() for key in content):
        return read_ids({int(key): value for key, value in content.items()})
    phrases: dict[str, list[str]] = {}
    for position, (key, value) in enumerate(content.items()):
        if isinstance(value, (list, tuple)):
            if not value:
                raise ValueError(f"class {key!r} at position {position} has no phrase, got {value!r}")
            phrases.setdefault(normalize_name(key, f"class name {position}"), []).extend(value)
        else:
            name = normalize_name(value, f"class of phrase {key!r} at position {position}")
            phrases.setdefault(name, []).append(normalize_name(key, f"phrase {position}"))
    return dict(classes=list(phrases), phrases=list(phrases.values()))


def read_ids(names: Mapping[int, object]) -> dict:
    """Names by class index, as detection tools write them: ``{0: "person", 1: "bicycle"}``."""
    if sorted(names) != list(range(len(names))):
        raise ValueError(f"names by class index need the indices 0..{len(names) - 1}, got {sorted(names)[:10]}")
    return read_list([names[index] for index in range(len(names))])


def read_coco(categories: list[Mapping]) -> dict:
    """The categories of a COCO annotation file, by id; ``isthing`` becomes the groups thing and stuff."""
    for position, category in enumerate(categories):
        if not isinstance(category, Mapping) or "name" not in category:
            raise ValueError(f"a COCO category needs a name, got {category!r} at position {position}")
    ordered = sorted(categories, key=lambda category: category.get("id", 0))
    fields = read_list([category["name"] for category in ordered])
    if all("isthing" in category for category in ordered):
        fields["groups"] = {
            group: [index for index, category in enumerate(ordered) if bool(category["isthing"]) == wanted]
            for group, wanted in (("thing", True), ("stuff", False))
        }
    return fields
