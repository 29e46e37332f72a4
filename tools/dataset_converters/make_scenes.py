"""Write generated scenes to disk, in ADE20K layout and with COCO json for instances, panoptic segments and captions.

    python tools/dataset_converters/make_scenes.py data/scenes --split train --num 2000
    python tools/dataset_converters/make_scenes.py data/scenes --split val --num 200

The pictures are those of ``ScenesSegDataset`` and ``ScenesDetDataset`` with the same options. Labels count from 0 in
the order of the vocabulary, 255 is ignored (``reduce_zero_label=False``); see ``ovdense.datasets.scenes.writer``.
"""

from __future__ import annotations

import argparse
import time

from ovdense.datasets.scenes.base import SPLITS, select_objects
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.writer import SceneWriter
from ovdense.models.vocabulary_files import load_vocabulary


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where to write")
    parser.add_argument("--split", choices=list(SPLITS), default="val")
    parser.add_argument("--num", type=int, default=100, help="number of scenes")
    parser.add_argument("--first", type=int, default=0, help="index of the first scene")
    parser.add_argument("--size", type=int, default=96, help="side of a scene in pixels")
    parser.add_argument("--vocabulary", default="scenes-143", help="shipped vocabulary or file")
    parser.add_argument(
        "--objects", nargs="+", help="objects or groups (base, novel, ...) that may appear; default all"
    )
    parser.add_argument("--labelled", nargs="+", help="objects or groups with boxes and masks; default all")
    parser.add_argument("--styles", nargs="+", help="drawing styles; default all")
    parser.add_argument("--num-objects", type=int, nargs=2, default=(1, 4), metavar=("MIN", "MAX"))
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    vocabulary = load_vocabulary(args.vocabulary)
    generator = SceneGenerator(
        classes=select_objects(vocabulary, args.objects),
        styles=args.styles,
        size=args.size,
        num_objects=tuple(args.num_objects),
        **SPLITS[args.split],
    )
    writer = SceneWriter(args.folder, vocabulary=vocabulary, split=args.split, labelled=args.labelled)
    start = time.perf_counter()
    count = writer.write((index, generator[index]) for index in range(args.first, args.first + args.num))
    print(f"{count} scenes of {args.size} x {args.size} pixels in {time.perf_counter() - start:.1f} s: {args.folder}")


if __name__ == "__main__":
    main()
