"""Writes the 847-class label maps of ADE20K's full annotation.

    python tools/dataset_converters/ade20k_full.py data/ADE20K_2021_17_01 [--splits validation] [--out FOLDER]

Reads ``images/ADE/SPLIT/**/*_seg.png``, whose red and green channels hold the number of a class in the full index, and
writes ``annotations_847/SPLIT/**/NAME.png``: 16 bits, 0 to 846 in the order of MaskFormer's list, 65535 everything
else. Pictures stay where they are. What is there already is left alone.
"""

import argparse
from pathlib import Path

import numpy as np
from large_vocabularies import full_names
from PIL import Image
from rich.progress import track

IGNORED = 65535
SUFFIX = "_seg.png"


def label_table() -> np.ndarray:
    """(65536,) uint16: the label of each number of the full index."""
    table = np.full(65536, IGNORED, np.uint16)
    table[list(full_names())] = np.arange(847)
    return table


def class_numbers(colours: np.ndarray) -> np.ndarray:
    """(H,W) numbers in the full index, 0 for none, of a picture (H,W,3) of ADE20K's segmentations."""
    return colours[..., 0].astype(np.int64) // 10 * 256 + colours[..., 1]


def convert(folder: Path, out: Path) -> int:
    """Converts the segmentations under a folder; returns how many it wrote."""
    files = sorted(path for path in folder.rglob(f"*{SUFFIX}"))
    if not files:
        raise SystemExit(f"error: no *{SUFFIX} in {folder}: get ADE20K_2021_17_01 from ade20k.csail.mit.edu")
    table = label_table()
    targets = {
        path: out / path.relative_to(folder).with_name(path.name.removesuffix(SUFFIX) + ".png") for path in files
    }
    todo = [path for path, target in targets.items() if not target.is_file()]
    for path in track(todo, description=str(folder)):
        targets[path].parent.mkdir(parents=True, exist_ok=True)
        partial = targets[path].with_suffix(".part")
        with Image.open(path) as image:
            Image.fromarray(table[class_numbers(np.asarray(image.convert("RGB")))]).save(partial, "PNG")
        partial.replace(targets[path])
    return len(todo)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of ADE20K_2021_17_01")
    parser.add_argument(
        "--splits", nargs="+", default=["validation"], help="training, validation (default: validation)"
    )
    parser.add_argument("--out", type=Path, help="folder of the results (default: the same)")
    args = parser.parse_args(argv)
    for split in args.splits:
        folder = args.root / "images" / "ADE" / split
        written = convert(folder, (args.out or args.root) / "annotations_847" / split)
        print(f"{folder}: {written} label maps written")


if __name__ == "__main__":
    main()
