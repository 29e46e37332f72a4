"""Annotation files in COCO's, LVIS's and COCO panoptic's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ovdense.datasets.coco_splits import file_name, find_problems, read_coco
from ovdense.datasets.doctor.files import check_count, find_duplicates, spread
from ovdense.datasets.doctor.findings import Notebook
from ovdense.datasets.panoptic_files import read_segment_ids
from ovdense.models.vocabulary_files import load_vocabulary

FREQUENCIES = {"r", "c", "f"}


def check_instances(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> None:
    """A COCO or LVIS json of boxes: document, categories, pictures.

    Args:
        options: ``sample``, ``subset``, ``convert``, ``vocabulary``, ``progress`` of the examination.
    """
    document = _read(notes, root / part["json"], options["convert"])
    if document is None:
        return
    for problem in find_problems(document):
        box = " boxes " in f" {problem} "
        remedy = "such boxes are skipped or clipped when read" if box else "take the official file, or mend these"
        notes.add("warning" if box else "error", "annotations", problem, remedy)
    _check_polygons(notes, document)
    if part["kind"] == "lvis":
        _check_federated(notes, document)
    _check_counts(notes, document, part, options)
    _check_categories(notes, document, options["vocabulary"])
    _check_pictures(notes, root / part["pictures"], document["images"], options)


def check_panoptic(notes: Notebook, root: Path, part: Mapping, options: Mapping) -> None:
    """A COCO panoptic json, its PNGs and its pictures."""
    document = _read(notes, root / part["json"], options["convert"])
    if document is None:
        return
    images = {image["id"]: image for image in document["images"]}
    annotations = document["annotations"]
    if annotations and "segments_info" not in annotations[0]:
        remedy = "give panoptic_*.json, not instances_*.json"
        notes.error("annotations", f"{part['json']} has no segments_info: no panoptic file", remedy)
        return
    lone = [one["file_name"] for one in annotations if one["image_id"] not in images]
    if lone:
        notes.error("annotations", f"{len(lone)} annotations of unknown pictures", "take the official file", lone)
    known = {category["id"] for category in document["categories"]}
    strange = {one["category_id"] for item in annotations for one in item["segments_info"]} - known
    if strange:
        what = f"segments of {len(strange)} unknown categories"
        notes.error("annotations", what, "take the official file", sorted(strange))
    unmarked = [one["name"] for one in document["categories"] if "isthing" not in one]
    if unmarked:
        remedy = "panoptic quality needs isthing in each category"
        notes.error("annotations", f"{len(unmarked)} categories do not say isthing", remedy, unmarked)
    _check_counts(notes, document, part, options)
    _check_categories(notes, document, options["vocabulary"])
    _check_pictures(notes, root / part["pictures"], document["images"], options)
    _check_maps(notes, root / part["maps"], annotations, images, options)


def _read(notes: Notebook, path: Path, convert: str) -> dict | None:
    try:
        return read_coco(path)
    except (FileNotFoundError, ValueError) as error:
        notes.error("files", str(error), convert)
        return None


def _check_counts(notes: Notebook, document: Mapping, part: Mapping, options: Mapping) -> None:
    remedy, subset = options["convert"], options["subset"]
    for key, what in (("count", "pictures"), ("annotations", "annotations"), ("categories", "categories")):
        found = len(document["images" if key == "count" else key])
        notes.facts[what] = found
        check_count(notes, found, part.get(key), what, remedy, subset and key != "categories")


def _check_categories(notes: Notebook, document: Mapping, vocabulary: str | None) -> None:
    """Names of the file against those of the reader, which finds classes by name."""
    if vocabulary is None:
        return
    names = {category["name"] for category in document["categories"]}
    wanted = load_vocabulary(vocabulary)
    words = [set(phrases) | {name} for name, phrases in zip(wanted.classes, wanted.phrases)]
    firsts = {part.strip() for name in names for part in (name, name.split(",")[0])}
    missing = [name for name, known in zip(wanted.classes, words) if not known & firsts]
    if missing and len(missing) > 3:  # LVIS and ADE20K spell a few names in their own way
        what = f"{len(missing)} of the {wanted.num_classes} classes of {vocabulary} are not in the file"
        notes.error("categories", what, "take the file of this protocol, or another vocabulary", missing)
    used = {one["category_id"] for one in document["annotations"] if "category_id" in one}
    used |= {one["category_id"] for item in document["annotations"] for one in item.get("segments_info", ())}
    notes.facts["classes_seen"] = len(used)


def _check_polygons(notes: Notebook, document: Mapping) -> None:
    bad, crowds = [], []
    for one in document["annotations"]:
        outline = one.get("segmentation")
        if isinstance(outline, list):
            if one.get("iscrowd"):
                crowds.append(one.get("id"))
            elif any(len(polygon) < 6 or len(polygon) % 2 for polygon in outline):
                bad.append(one.get("id"))
    if bad:
        what = f"{len(bad)} annotations with polygons that are no triangle at least"
        notes.warning("annotations", what, "they give empty masks: leave them out of training", bad)
    if crowds:
        what = f"{len(crowds)} crowds with polygons instead of run lengths"
        notes.warning("annotations", what, "official crowds are run lengths: was the file edited?", crowds)


def _check_federated(notes: Notebook, document: Mapping) -> None:
    """What LVIS has beside boxes: lists of checked classes of each picture, and frequencies."""
    fields = ("neg_category_ids", "not_exhaustive_category_ids")
    bare = [image["id"] for image in document["images"] if any(name not in image for name in fields)]
    if bare:
        what = f"{len(bare)} pictures lack {' or '.join(fields)}"
        notes.error("annotations", what, "LVIS's AP cannot be taken without: take the official file", bare)
    odd = [one["name"] for one in document["categories"] if one.get("frequency") not in FREQUENCIES]
    if odd:
        notes.error("categories", f"{len(odd)} categories without frequency r, c or f", "take the official file", odd)


def _check_pictures(notes: Notebook, folder: Path, images: list[dict], options: Mapping) -> None:
    files = {image["id"]: folder / (file_name(image) or "") for image in images}
    missing = [image for image in images if not files[image["id"]].is_file()]
    if missing:
        what = f"{len(missing)} of {len(images)} pictures are not in {folder}"
        names = [files[image["id"]].name for image in missing]
        level = "note" if options["subset"] and len(missing) < len(images) else "error"
        notes.add(level, "pairs", what, f"get {', '.join(options['get'])}", names)
    there = [image for image in images if files[image["id"]].is_file()]
    odd, broken = [], []
    for image in options["progress"](spread(there, options["sample"]), f"pictures of {notes.part}"):
        try:
            with Image.open(files[image["id"]]) as picture:
                picture.load()
                size = picture.size
        except (OSError, ValueError, SyntaxError):
            broken.append(files[image["id"]].name)
            continue
        if "width" in image and size != (image["width"], image["height"]):
            odd.append(f"{files[image['id']].name} {size[0]}x{size[1]}, file says {image['width']}x{image['height']}")
    if broken:
        notes.error("unreadable", f"{len(broken)} pictures cannot be read", "unpack or download them again", broken)
    if odd:
        notes.error("size", f"{len(odd)} pictures have another size than the file says", "take the official ones", odd)
    same = find_duplicates([files[image["id"]] for image in there], options["sample"])
    if same:
        pairs = [" = ".join(path.name for path in group) for group in same]
        notes.warning("duplicates", f"{len(same)} pictures are there twice", "compare them and delete copies", pairs)
    notes.facts["pictures_there"] = len(there)


def _check_maps(notes: Notebook, folder: Path, annotations: list, images: Mapping, options: Mapping) -> None:
    """Ids of the PNGs against segments_info."""
    absent = [one["file_name"] for one in annotations if not (folder / one["file_name"]).is_file()]
    if absent:
        what = f"{len(absent)} of {len(annotations)} panoptic PNGs are not in {folder}"
        notes.error("pairs", what, "unpack the zip of the PNGs, which lies within the zip of annotations", absent)
    there = [one for one in annotations if (folder / one["file_name"]).is_file()]
    wrong: dict[str, list[str]] = dict(unreadable=[], size=[], lost=[], extra=[], area=[])
    void = pixels = 0
    for one in options["progress"](spread(there, options["sample"]), f"panoptic maps of {notes.part}"):
        try:
            ids = read_segment_ids(folder / one["file_name"])
        except (OSError, ValueError, SyntaxError):
            wrong["unreadable"].append(one["file_name"])
            continue
        _compare(one, ids, images.get(one["image_id"], {}), wrong)
        void, pixels = void + int((ids == 0).sum()), pixels + ids.size
    if pixels:
        notes.facts.update(maps_opened=len(spread(there, options["sample"])), void_share=round(void / pixels, 4))
    _say_maps(notes, wrong)


def _compare(one: Mapping, ids: np.ndarray, image: Mapping, wrong: Mapping[str, list[str]]) -> None:
    if "width" in image and ids.shape != (image["height"], image["width"]):
        wrong["size"].append(one["file_name"])
    found, counts = np.unique(ids, return_counts=True)
    areas = dict(zip(found.tolist(), counts.tolist()))
    listed = {segment["id"]: segment for segment in one["segments_info"]}
    if set(listed) - set(areas):
        wrong["lost"].append(one["file_name"])
    if set(areas) - set(listed) - {0}:
        wrong["extra"].append(one["file_name"])
    if any(
        "area" in segment and areas.get(number, segment["area"]) != segment["area"]
        for number, segment in listed.items()
    ):
        wrong["area"].append(one["file_name"])


SAYINGS = {
    "unreadable": (
        "error",
        "panoptic PNGs cannot be read or have no three colours",
        "unpack them again; do not resave",
    ),
    "size": ("error", "panoptic PNGs have another size than the picture", "take the official PNGs"),
    "lost": ("error", "PNGs lack segments of the json", "json and PNGs are of different files, or PNGs were resaved"),
    "extra": ("error", "PNGs have ids that the json does not list", "json and PNGs are of different files"),
    "area": ("warning", "PNGs have other areas than the json says", "were the PNGs resized or resaved?"),
}


def _say_maps(notes: Notebook, wrong: Mapping[str, list[str]]) -> None:
    for key, (level, what, remedy) in SAYINGS.items():
        if wrong[key]:
            notes.add(level, "panoptic_ids", f"{len(wrong[key])} {what}", remedy, wrong[key])
