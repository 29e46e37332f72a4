"""Writes PASCAL Context with 59 classes and background from its 459 classes; the package detail is not needed.

    python tools/dataset_converters/pascal_context.py data/VOCdevkit/VOC2010 trainval

Reads ``trainval/*.mat`` of PASCAL Context's trainval.tar.gz (``LabelMap``, 1 to 459) and the lists
``ImageSets/Main/{train,val}.txt`` of VOC 2010, and writes ``SegmentationClassContext/*.png`` (0 background, 1 to 59)
and ``ImageSets/SegmentationContext/{train,val}.txt``. What is there already is left alone.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from rich.progress import track

from ovdense.datasets.label_conversion import write_map

# Numbers among the 459 of the 59 classes, which are in alphabetical order in both.
IDS = (
    *(2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159),
    *(162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368),
    *(397, 415, 416, 420, 424, 427, 440, 445, 454, 458),
)


def table() -> np.ndarray:
    """(460,) what becomes of each of the 459; others are background."""
    numbers = np.zeros(460, np.uint8)
    numbers[list(IDS)] = np.arange(1, len(IDS) + 1)
    return numbers


def read_labels(path: Path) -> np.ndarray:
    """(H, W) numbers from 0 to 459."""
    from scipy.io import loadmat

    return loadmat(path)["LabelMap"].astype(np.int64)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voc", type=Path, help="folder VOC2010")
    parser.add_argument("maps", type=Path, help="folder of the .mat files of trainval.tar.gz")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    out, lists = args.voc / "SegmentationClassContext", args.voc / "ImageSets" / "SegmentationContext"
    lists.mkdir(parents=True, exist_ok=True)
    numbers = table()
    for split in ("train", "val"):
        source = args.voc / "ImageSets" / "Main" / f"{split}.txt"
        if not source.is_file():
            raise SystemExit(f"error: no {source}: get VOCtrainval_03-May-2010.tar")
        names = source.read_text(encoding="utf-8").split()
        known = [name for name in names if (args.maps / f"{name}.mat").is_file()]
        if not known:
            raise SystemExit(f"error: no .mat file of {split} in {args.maps}: get trainval.tar.gz of PASCAL Context")
        todo = [name for name in known if args.force or not (out / f"{name}.png").is_file()]
        for name in track(todo, split):
            write_map(out / f"{name}.png", numbers[read_labels(args.maps / f"{name}.mat")])
        partial = lists / f".{split}.part"
        partial.write_text("".join(f"{name}\n" for name in sorted(known)), encoding="utf-8")
        os.replace(partial, lists / f"{split}.txt")
        print(f"{split}: {len(todo)} label maps written, {len(known) - len(todo)} were there, {len(names)} listed")


if __name__ == "__main__":
    main()
