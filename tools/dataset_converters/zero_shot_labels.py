"""Writes label maps without unseen classes, for tools that cannot take them out while they load.

    python tools/dataset_converters/zero_shot_labels.py data/coco_stuff164k/annotations/train2017 OUT \
        --split coco-stuff-156-15 --suffix _labelTrainIds.png

Unseen pixels become 255. Within ovdense the transform ``ZeroShotLabels`` does the same. ``--reduce-zero`` is for maps
whose 0 is background that is not scored (VOC without background, Context-59, ADE20K): classes are 1 to K in the files
and stay so, 0 stays 0. What is there already is left alone.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.label_conversion import convert_maps
from ovdense.models.zero_shot_splits import load_split, split_names


def table_for(split: str, reduce_zero: bool, renumber: bool) -> np.ndarray:
    """(256,) what becomes of each value; values that are no class stay as they are."""
    groups = load_split(split).groups()
    first = int(reduce_zero)
    table = np.arange(256, dtype=np.uint8)
    table[[index + first for index in groups["unseen"]]] = 255
    if renumber:
        table[[index + first for index in groups["seen"]]] = np.arange(len(groups["seen"])) + first
    return table


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="folder of label maps")
    parser.add_argument("out", type=Path, help="folder of the results, with the same names")
    parser.add_argument("--split", required=True, choices=split_names())
    parser.add_argument("--suffix", default=".png", help="how names of label maps end (default: %(default)s)")
    parser.add_argument("--reduce-zero", action="store_true", help="0 is background, classes begin at 1")
    parser.add_argument("--renumber", action="store_true", help="number the seen classes one after the other")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    files = sorted(args.labels.rglob(f"*{args.suffix}"))
    if not files:
        raise SystemExit(f"error: no *{args.suffix} in {args.labels}")
    if args.out.resolve() == args.labels.resolve():
        raise SystemExit("error: the results need a folder of their own, since they have the same names")
    pairs = [(path, args.out / path.relative_to(args.labels)) for path in files]
    table = table_for(args.split, args.reduce_zero, args.renumber)
    written = convert_maps(pairs, table, force=args.force, progress=lambda todo: track(todo, args.split))
    print(f"{args.out}: {written} label maps written, {len(pairs) - written} were there")


if __name__ == "__main__":
    main()
