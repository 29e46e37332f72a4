"""Writes the label maps of COCO-Object from those of COCO-Stuff 164k.

    python tools/dataset_converters/coco_object.py data/coco_stuff164k [--splits val2017] [--out FOLDER]

Reads ``annotations/SPLIT/<id>.png`` (COCO ids minus one, 255 unlabelled) and writes beside them, or under
``FOLDER/annotations/SPLIT``, ``<id>_instanceTrainIds.png``: 0 background, 1 to 80 the things by id.
Stuff and unlabelled pixels are background, as in GroupViT and TCL. What is there already is left alone.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

# Ids from 1 to 90 that no thing of COCO has.
UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
SUFFIX = "_instanceTrainIds.png"


def label_table() -> np.ndarray:
    """(256,) uint8: what becomes of each value of a COCO-Stuff map."""
    table = np.zeros(256, np.uint8)
    things = [number for number in range(1, 91) if number not in UNUSED_IDS]
    for label, number in enumerate(things, start=1):
        table[number - 1] = label
    return table


def convert(folder: Path, out: Path) -> int:
    """Converts the maps of a folder; returns how many it wrote."""
    files = sorted(path for path in folder.glob("*.png") if "TrainIds" not in path.name)
    if not files:
        raise SystemExit(f"error: no label maps of COCO-Stuff in {folder}: get stuffthingmaps_trainval2017.zip")
    out.mkdir(parents=True, exist_ok=True)
    table = label_table()
    todo = [path for path in files if not (out / f"{path.stem}{SUFFIX}").is_file()]
    for path in track(todo, description=str(folder)):
        target = out / f"{path.stem}{SUFFIX}"
        partial = target.with_suffix(".part")
        Image.fromarray(table[np.asarray(Image.open(path))]).save(partial, "PNG")
        partial.replace(target)
    return len(todo)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of COCO-Stuff 164k")
    parser.add_argument("--splits", nargs="+", default=["val2017"], help="train2017, val2017 (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder of the results (default: the same)")
    args = parser.parse_args(argv)
    for split in args.splits:
        folder = args.root / "annotations" / split
        written = convert(folder, (args.out or args.root) / "annotations" / split)
        print(f"{folder}: {written} label maps written")


if __name__ == "__main__":
    main()
