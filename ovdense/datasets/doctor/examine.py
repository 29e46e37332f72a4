"""The examination of a data set against its description."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ovdense.datasets.crowd_points import read_points
from ovdense.datasets.doctor.annotations import check_instances, check_panoptic
from ovdense.datasets.doctor.descriptions import conversion, load_description
from ovdense.datasets.doctor.files import (
    Pattern,
    check_count,
    check_empty,
    check_pairs,
    find_duplicates,
    first_present,
    read_list,
    spread,
)
from ovdense.datasets.doctor.findings import Notebook, Report
from ovdense.datasets.doctor.label_maps import LabelCounts, LabelRules, check_labels
from ovdense.models.vocabulary_files import load_vocabulary

SAMPLE = 500


def examine(
    name: str,
    root: str | Path,
    *,
    parts: Sequence[str] | None = None,
    sample: int | None = SAMPLE,
    subset: bool = False,
    progress: Callable[[Iterable, str], Iterable] = lambda items, _: items,
) -> Report:
    """Checks a data set on disk; nothing is written.

    Args:
        name: of a description, see ``doctor.dataset_names``.
        root: the folder that the configs call ``data_root``.
        parts: names of the splits to look at; None for all, of which those that are not there at all are noted only.
        sample: files of each split that are opened, evenly from first to last; None opens all. Presence, pairs, lists
            and counts are checked for all files in any case.
        subset: the folder holds some of the official files on purpose: counts are noted, not errors.
        progress: wraps what is iterated, with a description.

    Raises:
        ValueError: no such data set or split.
        FileNotFoundError: no such folder.
    """
    description, root = load_description(name), Path(root)
    known = [part["name"] for part in description["parts"]]
    if set(parts or ()) - set(known):
        raise ValueError(f"{description['name']} has the splits {', '.join(known)}, got {', '.join(parts)}")
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: {conversion(description, root)}")
    if sample is not None and sample < 1:
        raise ValueError(f"sample is a number of files above 0 or None for all, got {sample}")
    report = Report(dataset=description["name"], path=str(root), title=description["title"])
    options = dict(
        sample=sample,
        subset=subset,
        progress=progress,
        convert=conversion(description, root),
        vocabulary=description.get("vocabulary"),
        get=description["get"],
        rules=description.get("labels"),
    )
    chosen = [part for part in description["parts"] if parts is None or part["name"] in parts]
    there = [part for part in chosen if parts is not None or _is_there(root, part)]
    if not there:
        _say_nothing_there(Notebook(report), root, description)
        return report
    for part in chosen:
        notes = Notebook(report, part["name"])
        if part in there:
            CHECKS[part["kind"]](notes, root, part, options)
        elif not part.get("optional"):
            notes.note("files", "not here", f"if you need it: {options['convert']}")
    _check_apart(Notebook(report), root, description)
    return report


def _is_there(root: Path, part: Mapping) -> bool:
    """Whether anything of a part is on disk: labels or lists; pictures alone are common to several sets."""
    if "json" in part:
        return (root / part["json"]).is_file()
    labels = first_present(root, part["labels"], part.get("labels_without", ()))
    if part.get("list"):
        return (root / part["list"]).is_file()
    return bool(labels.find(root)) or bool(Pattern(part["images"], part.get("images_without", ())).find(root))


def _say_nothing_there(notes: Notebook, root: Path, description: Mapping) -> None:
    parts = description["parts"]
    inner = [folder for folder in sorted(root.glob("*/")) + sorted(root.glob("*/*/")) if folder.is_dir()]
    right = next((folder for folder in inner[:500] if any(_is_there(folder, part) for part in parts)), None)
    outer = next(
        (folder for folder in list(root.resolve().parents)[:3] if any(_is_there(folder, p) for p in parts)), None
    )
    expected = parts[-1].get("json") or parts[-1].get("list") or parts[-1]["images"]
    remedy = f"give {right or outer} instead" if right or outer else conversion(description, root)
    what = f"nothing of {description['name']} lies in {root}: expected are files such as {expected}"
    notes.error("files", what.replace("{key}", "*"), remedy)


def _paired(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> tuple[list[str], dict, dict]:
    """Keys with both files, pictures and labels by key; presence, lists, counts and duplicates are checked."""
    image_pattern = Pattern(part["images"], part.get("images_without", ()))
    label_pattern = first_present(root, part["labels"], part.get("labels_without", ()))
    images, labels = image_pattern.find(root), label_pattern.find(root)
    listed = read_list(notes, root / part["list"]) if part.get("list") else None
    if part.get("list") and listed is None:
        notes.error("split_list", f"no {part['list']}", options["convert"])
        return [], images, labels
    for found, pattern, remedy in (
        (images, image_pattern, f"get {', '.join(options['get'])}"),
        (labels, label_pattern, options["convert"]),
    ):
        if not found:
            notes.error("files", f"no {pattern.folder}/**/{pattern.before}*{pattern.after}", remedy)
    if not images or not labels:
        return [], images, labels
    keys = check_pairs(notes, images, labels, listed, options["convert"])
    total = len(listed) if listed is not None else len(images)
    notes.facts.update(pictures=total, labelled=len(keys))
    check_count(notes, total, part.get("count"), "pictures", options["convert"], options["subset"])
    check_empty(notes, [path for key in keys for path in (images[key], labels[key])])
    same = find_duplicates([images[key] for key in keys], options["sample"])
    if same:
        pairs = [" = ".join(path.name for path in group) for group in same]
        notes.warning("duplicates", f"{len(same)} pictures are there twice", "compare them and delete copies", pairs)
    return keys, images, labels


def check_label_maps(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> None:
    """Pictures and label maps of one split."""
    keys, images, labels = _paired(notes, root, part, options)
    rules = LabelRules.parse(part.get("labels_rules") or options["rules"])
    counts, chosen = LabelCounts(), spread(keys, options["sample"])
    for key in options["progress"](chosen, f"label maps of {notes.part}"):
        counts.add(images[key], labels[key], part.get("size"), rules)
    official = part.get("count")
    official = min(official) if isinstance(official, list) else official
    whole = not options["subset"] and len(chosen) == len(keys) and official is not None and counts.maps >= official
    names = load_vocabulary(options["vocabulary"]).classes if options["vocabulary"] else None
    names = names if names and len(names) == len(rules.values) else None
    check_labels(notes, counts, rules, names=names, convert=options["convert"], whole=whole)


def check_heat_maps(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> None:
    """Pictures and grey heat maps of their size; a map without any heat cannot be scored."""
    keys, images, labels = _paired(notes, root, part, options)
    wrong: dict[str, list[str]] = dict(bad=[], size=[], empty=[])
    for key in options["progress"](spread(keys, options["sample"]), f"heat maps of {notes.part}"):
        try:
            with Image.open(images[key]) as image, Image.open(labels[key]) as label:
                size, heat = image.size, np.asarray(label.convert("L"))
        except (OSError, ValueError, SyntaxError):
            wrong["bad"].append(key)
            continue
        wrong["size"] += [key] if size != heat.shape[::-1] else []
        wrong["empty"] += [] if heat.any() else [key]
    notes.facts["affordances"] = len({key.split("/")[0] for key in keys})
    if wrong["bad"]:
        notes.error("unreadable", f"{len(wrong['bad'])} files cannot be read", "unpack them again", wrong["bad"])
    if wrong["size"]:
        remedy = "take pictures and maps from one archive"
        notes.error("size", f"{len(wrong['size'])} heat maps have another size than the picture", remedy, wrong["size"])
    if wrong["empty"]:
        remedy = "they cannot be scored: leave them out, or unpack them again"
        notes.warning("void_share", f"{len(wrong['empty'])} heat maps are zero everywhere", remedy, wrong["empty"])


def check_points(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> None:
    """Pictures and points of heads."""
    keys, images, labels = _paired(notes, root, part, options)
    outside, broken, people = [], [], 0
    for key in options["progress"](spread(keys, options["sample"]), f"points of {notes.part}"):
        try:
            points = read_points(labels[key])
            with Image.open(images[key]) as image:
                image.load()
                size = np.array(image.size)
        except (OSError, ValueError, SyntaxError):
            broken.append(key)
            continue
        people += len(points)
        if (points < -1).any() or (points > size + 1).any():
            outside.append(key)
    notes.facts["people"] = people
    if broken:
        notes.error("unreadable", f"{len(broken)} pictures or point files cannot be read", "unpack them again", broken)
    if outside:
        remedy = "the picture was resized, or x and y are swapped: take both from the official archive"
        notes.error("points", f"{len(outside)} pictures have points outside", remedy, outside)


def _check_apart(notes: Notebook, root: Path, description: Mapping) -> None:
    """Split lists that must not share a picture."""
    lists = {part["name"]: root / part["list"] for part in description["parts"] if part.get("list")}
    for first, second in description.get("apart", ()):
        if lists[first].is_file() and lists[second].is_file():
            both = sorted(set(lists[first].read_text().split()) & set(lists[second].read_text().split()))
            if both:
                what = f"{len(both)} pictures are in {first} and in {second}"
                notes.error("split_list", what, "scores on them are not those of unseen pictures: mend the list", both)


CHECKS = {
    "label_maps": check_label_maps,
    "heat_maps": check_heat_maps,
    "points": check_points,
    "instances": check_instances,
    "lvis": check_instances,
    "panoptic": check_panoptic,
}
