"""Writes the points of ShanghaiTech as json, so that scipy is not needed to read them.

    python tools/dataset_converters/crowd_points.py data/shanghaitech/part_A

Each ``GT_IMG_1.mat`` gets a ``GT_IMG_1.json`` beside it: ``{"points": [[x, y], ...]}``. What is there is left alone.
"""

import argparse
import json
from pathlib import Path

from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.coco_splits import write_atomic
from ovdense.datasets.crowd_points import read_points


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="part_A or part_B")
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    args = parser.parse_args(argv)
    files = sorted(args.root.rglob("GT_*.mat"))
    if not files:
        raise SystemExit(f"error: no GT_*.mat in {args.root}: give part_A or part_B of ShanghaiTech.zip")
    todo = [path for path in files if args.force or not path.with_suffix(".json").is_file()]
    for path in track(todo, str(args.root)):
        points = [[float(x), float(y)] for x, y in read_points(path)]
        write_atomic(path.with_suffix(".json"), json.dumps(dict(points=points)) + "\n")
    print(f"{args.root}: {len(todo)} files written, {len(files) - len(todo)} were there")


if __name__ == "__main__":
    main()
