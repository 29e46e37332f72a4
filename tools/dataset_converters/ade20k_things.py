"""Writes the panoptic and instance annotations of ADE20K from the official downloads.

    python tools/dataset_converters/ade20k_things.py data/ade/ADEChallengeData2016 [--splits val] [--only panoptic]

Reads ``images/``, ``annotations/`` (150 classes, 0 void) and ``annotations_instance/`` (red: class 1 to 100 of the
things, green: number of the instance) and writes ``ade20k_panoptic_SPLIT.json`` with its PNGs, and
``ade20k_instance_SPLIT.json``.
Stuff is one segment a class; things lie over it. Names are those of mmdet's data sets, which find classes by name. What
is there already is left alone; a run that broke off goes on where it stopped with the PNGs.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)

# isort: split
from mmdet.datasets import ADE20KInstanceDataset, ADE20KPanopticDataset
from mmseg.datasets import ADE20KDataset

from ovdense.datasets.coco_splits import write_atomic
from ovdense.datasets.label_conversion import read_index_map
from ovdense.datasets.panoptic_files import write_segment_ids

FOLDERS = {"train": "training", "val": "validation"}
# Names of the semantic labels that the panoptic list writes in another way, or has in two synonym lists.
OTHER_NAMES = {
    "windowpane": "window",
    "bathtub": "tub",
    "railing": "rail",
    "counter": "counter",
    "streetlight": "street lamp",
    "television receiver": "tv",
    "apparel": "clothes",
    "swimming pool": "pool",
    "stool": "stool",
    "waterfall": "falls",
    "pot": "pot",
    "screen": "screen",
    "ashcan": "trash can",
}


def panoptic_of_semantic() -> dict[int, int]:
    """Semantic label (1 to 150) -> place in the panoptic list (things first)."""
    names = ADE20KPanopticDataset.METAINFO["classes"]
    synonyms = [{part.strip() for part in name.split(",")} for name in names]
    table = {}
    for label, name in enumerate((title.strip() for title in ADE20KDataset.METAINFO["classes"]), start=1):
        wanted = OTHER_NAMES.get(name)
        places = [names.index(wanted)] if wanted else [i for i, words in enumerate(synonyms) if name in words]
        if len(places) != 1:
            raise ValueError(f"{name} is {len(places)} classes of the panoptic list")
        table[label] = places[0]
    return table


def segments_of(semantic: np.ndarray, instances: np.ndarray, table: dict[int, int]) -> tuple[np.ndarray, list[dict]]:
    """Segment ids (H, W) and their description; stuff first, then things.

    Args:
        semantic: labels (H, W), 0 void.
        instances: (H, W, 3); red class of the thing, green number of the instance, 0 none.
    """
    things = len(ADE20KPanopticDataset.METAINFO["thing_classes"])
    ids = np.zeros(semantic.shape, np.int32)
    found: dict[int, int] = {}
    for label in np.unique(semantic[semantic > 0]).tolist():
        if table[label] >= things:
            found[len(found) + 1] = table[label]
            ids[semantic == label] = len(found)
    pairs = np.where(instances[..., 1] > 0, instances[..., 0].astype(np.int32) * 256 + instances[..., 1], 0)
    for pair in np.unique(pairs[pairs >= 256]).tolist():
        found[len(found) + 1] = pair // 256 - 1
        ids[pairs == pair] = len(found)
    segments = []
    for number, place in found.items():
        rows, columns = np.nonzero(ids == number)
        if len(rows):  # stuff may lie wholly under things
            x, y = int(columns.min()), int(rows.min())
            box = [x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1]
            segments.append(dict(id=number, category_id=place + 1, area=len(rows), bbox=box, iscrowd=0))
    return ids, segments


def read_instances(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        if image.mode != "RGB":
            raise SystemExit(
                f"error: {path} is no map of instances (red class, green number), its mode is {image.mode}"
            )
        return np.asarray(image)


def panoptic(root: Path, split: str, names: list[str], force: bool) -> None:
    target, folder = root / f"ade20k_panoptic_{split}.json", root / f"ade20k_panoptic_{split}"
    if target.is_file() and not force:
        print(f"{target}: there already")
        return
    folder.mkdir(exist_ok=True)
    table, annotations, images = panoptic_of_semantic(), [], []
    for number, name in enumerate(track(names, f"panoptic {split}"), start=1):
        semantic = read_index_map(root / "annotations" / FOLDERS[split] / f"{name}.png")
        instances = read_instances(root / "annotations_instance" / FOLDERS[split] / f"{name}.png")
        ids, segments = segments_of(semantic, instances, table)
        if force or not (folder / f"{name}.png").is_file():
            partial = folder / f".{name}.png"
            write_segment_ids(partial, ids)
            os.replace(partial, folder / f"{name}.png")
        annotations.append(dict(image_id=number, file_name=f"{name}.png", segments_info=segments))
        images.append(image_of(number, name, ids.shape))
    meta = ADE20KPanopticDataset.METAINFO
    things = len(meta["thing_classes"])
    categories = [
        dict(id=place + 1, name=name, isthing=int(place < things)) for place, name in enumerate(meta["classes"])
    ]
    write_atomic(target, json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    print(f"{target}: {len(images)} pictures, {sum(len(one['segments_info']) for one in annotations)} segments")


def instance(root: Path, split: str, names: list[str], force: bool) -> None:
    from pycocotools import mask as run_lengths

    target = root / f"ade20k_instance_{split}.json"
    if target.is_file() and not force:
        print(f"{target}: there already")
        return
    images, annotations = [], []
    for number, name in enumerate(track(names, f"instances {split}"), start=1):
        maps = read_instances(root / "annotations_instance" / FOLDERS[split] / f"{name}.png")
        images.append(image_of(number, name, maps.shape[:2]))
        ids, segments = segments_of(np.zeros(maps.shape[:2], np.uint8), maps, {})
        for one in segments:
            coded = run_lengths.encode(np.asfortranarray(ids == one["id"], np.uint8))
            outline = dict(coded, counts=coded["counts"].decode())
            annotations.append(dict(one, id=len(annotations) + 1, image_id=number, segmentation=outline))
    categories = [dict(id=place + 1, name=name) for place, name in enumerate(ADE20KInstanceDataset.METAINFO["classes"])]
    write_atomic(target, json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    print(f"{target}: {len(images)} pictures, {len(annotations)} instances")


def image_of(number: int, name: str, shape: tuple[int, int]) -> dict:
    return dict(id=number, file_name=f"{name}.jpg", height=int(shape[0]), width=int(shape[1]))


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="ADEChallengeData2016")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], choices=sorted(FOLDERS))
    parser.add_argument("--only", choices=["panoptic", "instance"], help="one of the two")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    for split in args.splits:
        folder = args.root / "annotations_instance" / FOLDERS[split]
        names = sorted(path.stem for path in folder.glob("*.png"))
        if not names:
            raise SystemExit(f"error: no PNGs in {folder}: get annotations_instance.tar and unpack it in {args.root}")
        for kind, write in (("panoptic", panoptic), ("instance", instance)):
            if args.only in (None, kind):
                write(args.root, split, names, args.force)


if __name__ == "__main__":
    main()
