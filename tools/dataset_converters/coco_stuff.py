"""Writes the label maps of COCO-Stuff 164k in the 171 trainIds.

    python tools/dataset_converters/coco_stuff.py data/coco_stuff164k [--splits train2017 val2017] [--out FOLDER]

Reads ``annotations/SPLIT/<id>.png`` of stuffthingmaps_trainval2017.zip (ids minus one, 255 unlabelled) and writes
beside them ``<id>_labelTrainIds.png``. What is there already is left alone.
"""

import argparse
from pathlib import Path

from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.label_conversion import coco_stuff_table, convert_maps


def pairs_of(folder: Path, out: Path) -> list[tuple[Path, Path]]:
    files = sorted(path for path in folder.glob("*.png") if "TrainIds" not in path.name)
    if not files:
        raise SystemExit(f"error: no label maps of COCO-Stuff in {folder}: get stuffthingmaps_trainval2017.zip")
    return [(path, out / f"{path.stem}_labelTrainIds.png") for path in files]


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of COCO-Stuff 164k")
    parser.add_argument("--splits", nargs="+", default=["train2017", "val2017"], help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="folder of the results (default: the same)")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    for split in args.splits:
        folder = args.root / "annotations" / split
        pairs = pairs_of(folder, (args.out or args.root) / "annotations" / split)
        written = convert_maps(pairs, coco_stuff_table(), force=args.force, progress=track)
        print(f"{folder}: {written} label maps written, {len(pairs) - written} were there")


if __name__ == "__main__":
    main()
