"""Detection data in COCO's format, checked and cut into the files of open-vocabulary protocols.

Plain Python on plain json, so that converters and tests share it. A protocol is a tuple of ``Part``: which boxes stay,
which classes the category table has, and whether pictures without a box stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "ovdense_parts.json"
FEDERATED = ("neg_category_ids", "not_exhaustive_category_ids")


@dataclass(frozen=True)
class Part:
    """One json file of a protocol.

    Args:
        name: file name.
        source: the official file that it is cut from, ``train`` or ``val``.
        labelled: class names whose annotations stay.
        table: class names of the category table, which keeps its ids.
        keep_empty: whether pictures without such annotations stay.
        images: rule for pictures; None takes all.
        published: (pictures, annotations) of the file that the official one gives; None for what is not known.
    """

    name: str
    source: str
    labelled: tuple[str, ...]
    table: tuple[str, ...]
    keep_empty: bool = False
    images: Callable[[dict], bool] | None = None
    published: tuple[int | None, int | None] | None = None


def read_coco(path: str | Path) -> dict:
    """A COCO json with its three lists.

    Raises:
        FileNotFoundError: not there.
        ValueError: no json, or a list is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no annotations there: {path}; give the official json file, unzipped")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no whole json file (a download that broke off?): {error}") from None
    missing = [
        key for key in ("images", "annotations", "categories") if not isinstance(document, dict) or key not in document
    ]
    if missing:
        raise ValueError(f"{path} needs the lists images, annotations and categories of COCO's format, lacks {missing}")
    return document


def find_problems(document: Mapping, limit: int = 5) -> list[str]:
    """What is wrong with a COCO document, in words; empty if nothing is.

    Looked at: repeated ids, names and file names; annotations of unknown pictures or classes; boxes without four finite
    numbers, without area, or outside their picture by more than two pixels.
    """
    images = {image["id"]: image for image in document["images"]}
    categories = {category["id"]: category["name"] for category in document["categories"]}
    problems = []

    def report(what: str, items: list) -> None:
        if items:
            more = f" and {len(items) - limit} more" if len(items) > limit else ""
            problems.append(f"{len(items)} {what}: {', '.join(map(str, items[:limit]))}{more}")

    report("picture ids used twice", _repeated(image["id"] for image in document["images"]))
    report("file names used twice", _repeated(filter(None, map(file_name, document["images"]))))
    report("class ids used twice", _repeated(category["id"] for category in document["categories"]))
    report("class names used twice", _repeated(categories.values()))
    report("annotation ids used twice", _repeated(one.get("id") for one in document["annotations"]))
    annotations = document["annotations"]
    report("annotations of unknown pictures", [one.get("id") for one in annotations if one["image_id"] not in images])
    report(
        "annotations of unknown classes", [one.get("id") for one in annotations if one["category_id"] not in categories]
    )
    report(
        "boxes that are not [x, y, width, height] with an area",
        [one.get("id") for one in annotations if not _is_box(one)],
    )
    report(
        "boxes outside their picture",
        [one.get("id") for one in annotations if one["image_id"] in images and _outside(one, images[one["image_id"]])],
    )
    return problems


def file_name(image: Mapping) -> str | None:
    """File of a picture below the folder of COCO; LVIS v1 has it in ``coco_url`` alone."""
    if image.get("file_name"):
        return image["file_name"]
    return "/".join(image["coco_url"].split("/")[-2:]) if image.get("coco_url") else None


def ids_of(document: Mapping, names: Collection[str]) -> set[int]:
    """Category ids of class names.

    Raises:
        ValueError: names that the file does not have.
    """
    known = {category["name"]: category["id"] for category in document["categories"]}
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} classes are not in the annotations, such as {missing[:5]}; the file has "
            f"{len(known)}: {', '.join(list(known)[:8])}, ..."
        )
    return {known[name] for name in names}


def cut(document: Mapping, part: Part) -> dict:
    """The document of a part: annotations, category table and pictures as it says; ids and order stay."""
    labelled, table = ids_of(document, part.labelled), ids_of(document, part.table)
    if not labelled <= table:
        raise ValueError(f"{part.name}: labelled classes must be in the category table")
    images = [image for image in document["images"] if part.images is None or part.images(image)]
    kept = {image["id"] for image in images}
    annotations = [one for one in document["annotations"] if one["category_id"] in labelled and one["image_id"] in kept]
    if not part.keep_empty:
        filled = {one["image_id"] for one in annotations}
        images = [image for image in images if image["id"] in filled]
    if len(table) < len(document["categories"]):
        images = [_narrow(image, table) for image in images]
    categories = [category for category in document["categories"] if category["id"] in table]
    rest = {key: value for key, value in document.items() if key not in ("images", "annotations", "categories")}
    return dict(rest, images=images, annotations=annotations, categories=categories)


def write_parts(
    parts: Sequence[Part],
    sources: Mapping[str, Path],
    out: Path,
    *,
    force: bool = False,
    adjust: Callable[[dict], dict] | None = None,
    progress: Callable[[Iterable, str], Iterable] = lambda items, _: items,
    say: Callable[[str], None] = print,
) -> dict[str, dict]:
    """Writes the files of a protocol; those that are there, whole and of the same source, are left alone.

    Args:
        sources: official file of ``train`` and ``val``; parts of a source that is not given are left out.
        adjust: applied to the source's document before it is cut.
        progress: wraps what is iterated, with a description.

    Returns:
        What the manifest holds: pictures, annotations, classes, bytes and source of every file by its name.

    Raises:
        ValueError: a source whose ids, names or boxes are broken; nothing is written for it.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest = _read_manifest(out / MANIFEST)
    for source, path in sources.items():
        wanted = [part for part in parts if part.source == source]
        digest = digest_of(path)
        todo = [
            part for part in wanted if force or not _is_done(manifest.get(part.name), out / part.name, digest, part)
        ]
        for part in wanted:
            if part not in todo:
                say(f"{part.name}: there already, {_counts(manifest[part.name])}")
        if not todo:
            continue
        document = read_coco(path)
        document = document if adjust is None else adjust(document)
        stop_at_problems(document, path)
        for part in progress(todo, str(path.name)):
            content = cut(document, part)
            if not content["annotations"]:
                raise ValueError(f"{part.name}: no annotation of its {len(part.labelled)} classes in {path}")
            size = write_atomic(out / part.name, json.dumps(content))
            manifest[part.name] = dict(
                images=len(content["images"]),
                annotations=len(content["annotations"]),
                classes=len(content["categories"]),
                bytes=size,
                source=path.name,
                source_sha256=digest,
                rule=_rule(part),
            )
            write_atomic(out / MANIFEST, json.dumps(manifest, indent=1) + "\n")
            say(f"{part.name}: {_counts(manifest[part.name])}{_against_papers(part, manifest[part.name])}")
    return manifest


def stop_at_problems(document: Mapping, path: Path) -> None:
    """ValueError that lists what ``find_problems`` finds, save faulty boxes, which official files have as well."""
    problems = [text for text in find_problems(document) if " boxes " not in f" {text} "]
    if problems:
        raise ValueError(f"{path} cannot be used: {'; '.join(problems)}")


def write_atomic(path: Path, text: str) -> int:
    """Writes beside the target and renames; returns the number of bytes."""
    content = text.encode()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(content)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        FileNotFoundError: not there.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no annotations there: {path}; give the official json file, unzipped")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


def _read_manifest(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _rule(part: Part) -> str:
    """Digest of what a part keeps, so that a changed rule is not taken for done."""
    content = [part.labelled, part.table, part.keep_empty, getattr(part.images, "rule", part.images is not None)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _is_done(entry: Mapping | None, path: Path, digest: str, part: Part) -> bool:
    if entry is None or not path.is_file() or entry.get("source_sha256") != digest or entry.get("rule") != _rule(part):
        return False
    return path.stat().st_size == entry.get("bytes")


def _counts(entry: Mapping) -> str:
    return f"{entry['images']} pictures, {entry['annotations']} annotations, {entry['classes']} classes"


def _against_papers(part: Part, entry: Mapping) -> str:
    if part.published is None:
        return ""
    return ", which differs from what is published" if _differs(part, entry) else " (as published)"


def _differs(part: Part, entry: Mapping) -> list[str]:
    """The counts of a file that are not the published ones, in words."""
    pairs = zip(("pictures", "annotations"), (entry["images"], entry["annotations"]), part.published or ())
    return [f"{found} {what} instead of {wanted}" for what, found, wanted in pairs if wanted not in (None, found)]


def differences(parts: Sequence[Part], manifest: Mapping[str, Mapping]) -> list[str]:
    """What the files have that those of the papers have not, a line a file: figures on them are not comparable."""
    lines = []
    for part in parts:
        entry = manifest.get(part.name)
        counts = _differs(part, entry) if entry else []
        if counts:
            lines.append(f"{part.name}: {', '.join(counts)}; is {entry['source']} the whole official file?")
    return lines


def _repeated(values: Iterable) -> list:
    return [value for value, count in Counter(values).items() if count > 1]


def _is_box(annotation: Mapping) -> bool:
    box = annotation.get("bbox")
    if not isinstance(box, (list, tuple)) or len(box) != 4:
        return False
    return all(isinstance(v, (int, float)) and abs(v) < float("inf") for v in box) and box[2] > 0 and box[3] > 0


def _outside(annotation: Mapping, image: Mapping, slack: float = 2.0) -> bool:
    if not _is_box(annotation) or "width" not in image or "height" not in image:
        return False
    x, y, width, height = annotation["bbox"]
    return x < -slack or y < -slack or x + width > image["width"] + slack or y + height > image["height"] + slack


def _narrow(image: dict, table: set[int]) -> dict:
    """LVIS's lists of a picture with the classes of the table only."""
    lists = {key: [one for one in image[key] if one in table] for key in FEDERATED if key in image}
    return {**image, **lists} if lists else image
