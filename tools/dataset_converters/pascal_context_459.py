"""Writes the 459-class label maps of PASCAL Context.

    python tools/dataset_converters/pascal_context_459.py data/VOCdevkit/VOC2010 [--mats FOLDER] [--out FOLDER]

Reads ``trainval/NAME.mat`` (trainval.tar.gz of cs.stanford.edu/~roozbeh/pascal-context: ``LabelMap``, 1 to 459) and
writes ``SegmentationClassContext459/NAME.png``: 16 bits, 0 to 458, 65535 where there is no label. If ``labels.txt`` of
the download lies beside, its names must be those of the vocabulary. What is there already is left alone.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track
from scipy.io import loadmat

CLASSES = 459
LIST = Path(__file__).with_name("pascal_context_459.txt")


def labels_of(path: Path) -> np.ndarray:
    """(H,W) uint16 labels of a .mat file."""
    content = loadmat(path)
    if "LabelMap" not in content:
        raise SystemExit(f"error: {path} has no LabelMap, only {[key for key in content if key[0] != '_']}")
    numbers = content["LabelMap"].astype(np.int64)
    if numbers.min() < 0 or numbers.max() > CLASSES:
        raise SystemExit(f"error: {path} holds the classes {numbers.min()} to {numbers.max()}, not 1 to {CLASSES}")
    return np.where(numbers == 0, 65535, numbers - 1).astype(np.uint16)


def check_names(path: Path) -> None:
    """Compares PASCAL Context's ``labels.txt`` (``number: name``) with the list of the vocabulary."""
    names = [line.split(",")[0] for line in LIST.read_text(encoding="utf-8").splitlines()]
    pairs = (line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    found = {int(number): name.strip() for number, name in pairs}
    wrong = [f"{found[at]!r} is {at}, here {name!r}" for at, name in enumerate(names, 1) if found.get(at, name) != name]
    if wrong:
        raise SystemExit(f"error: {len(wrong)} names of {path} differ: {'; '.join(wrong[:5])}")


def convert(folder: Path, out: Path) -> int:
    """Converts the files of a folder; returns how many it wrote."""
    files = sorted(folder.glob("*.mat"))
    if not files:
        raise SystemExit(f"error: no *.mat in {folder}: get trainval.tar.gz of PASCAL Context")
    out.mkdir(parents=True, exist_ok=True)
    todo = [path for path in files if not (out / f"{path.stem}.png").is_file()]
    for path in track(todo, description=str(folder)):
        partial = out / f"{path.stem}.part"
        Image.fromarray(labels_of(path)).save(partial, "PNG")
        partial.replace(out / f"{path.stem}.png")
    return len(todo)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of VOC2010")
    parser.add_argument("--mats", type=Path, help="folder of the .mat files (default: ROOT/trainval)")
    parser.add_argument("--out", type=Path, help="folder of the results (default: ROOT)")
    args = parser.parse_args(argv)
    for place in (args.root, (args.mats or args.root / "trainval").parent):
        if (place / "labels.txt").is_file():
            check_names(place / "labels.txt")
    written = convert(args.mats or args.root / "trainval", (args.out or args.root) / "SegmentationClassContext459")
    print(f"{args.mats or args.root / 'trainval'}: {written} label maps written")


if __name__ == "__main__":
    main()
