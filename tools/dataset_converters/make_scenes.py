"""Writes generated or fixed scenes to disk, in ADE20K layout and with COCO json.

    python tools/dataset_converters/make_scenes.py data/scenes --split train --num 2000
    python tools/dataset_converters/make_scenes.py data/scenes --split val --num 200
    python tools/dataset_converters/make_scenes.py data/scenes-384 --size 384 --num 200
    python tools/dataset_converters/make_scenes.py data/scenes-full --fixed full

COCO json: instances (boxes and masks), panoptic segments, captions. The pictures are those of the scenes datasets with
the same options. Labels count from 0 in the order of the vocabulary, 255 is ignored (``reduce_zero_label=False``); see
``ovdense.datasets.scenes.writer``. The same command continues a run that was stopped, and a larger ``--num`` adds
scenes.
"""

from __future__ import annotations

import argparse
import time

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.datasets.scenes.base import SPLITS, select_objects
from ovdense.datasets.scenes.fixed import FIXED_VOCABULARIES, fixed_names, load_fixed_scenes
from ovdense.datasets.scenes.generator import SceneGenerator
from ovdense.datasets.scenes.sprites import TRAIN_STYLES, load_atlas
from ovdense.datasets.scenes.writer import SceneWriter
from ovdense.models.text_encoders.progress import progress_bar
from ovdense.models.vocabulary_files import load_vocabulary


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where to write")
    parser.add_argument("--split", choices=list(SPLITS), default="val")
    parser.add_argument("--num", type=int, help="number of scenes; default 100, or all of the fixed ones")
    parser.add_argument("--first", type=int, default=0, help="index of the first scene")
    parser.add_argument(
        "--fixed", choices=fixed_names(), help="the shipped validation scenes instead of generated ones"
    )
    parser.add_argument("--vocabulary", help="shipped vocabulary or file; default scenes-143, or the fixed scenes' own")
    parser.add_argument("--labelled", nargs="+", help="objects or groups with boxes and masks; default all")
    drawing = parser.add_argument_group("generated scenes")
    drawing.add_argument("--size", type=int, nargs="+", metavar="PIXELS", help="side, or height and width; default 96")
    drawing.add_argument("--objects", nargs="+", help="objects or groups (base, novel) that may appear; default all")
    drawing.add_argument(
        "--styles",
        nargs="+",
        choices=load_atlas().styles,
        metavar="STYLE",
        help=f"drawing styles, of {', '.join(load_atlas().styles)}; default {', '.join(TRAIN_STYLES)}",
    )
    drawing.add_argument(
        "--compositions",
        type=float,
        metavar="SHARE",
        help="share of the objects that are drawn shapes (red dotted heart); labelled where the vocabulary names them",
    )
    drawing.add_argument("--composition-group", choices=("seen", "held-out", "all"), help="which shapes; default seen")
    drawing.add_argument("--num-objects", type=int, nargs=2, metavar=("MIN", "MAX"), help="of a scene; default 1 4")
    args = parser.parse_args(argv)
    given = [name for name in ("size", "objects", "styles", "compositions", "num_objects") if getattr(args, name)]
    if args.fixed and given:
        parser.error(f"--fixed scenes are drawn already, got --{given[0].replace('_', '-')} as well")
    if args.composition_group and not args.compositions:
        parser.error("--composition-group needs --compositions SHARE")
    if args.size and len(args.size) > 2:
        parser.error(f"--size is a side, or height and width, got {len(args.size)} numbers")
    return args


def generator_options(args: argparse.Namespace, vocabulary) -> dict:
    """Options of the generator, as plain data."""
    size = args.size or [96]
    options = dict(
        classes=select_objects(vocabulary, args.objects),
        styles=args.styles or list(TRAIN_STYLES),
        size=size[0] if len(size) == 1 else size,
        num_objects=args.num_objects or [1, 4],
        **SPLITS[args.split],
    )
    if args.compositions:
        options["compositions"] = dict(share=args.compositions, group=args.composition_group or "seen")
    return options


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    vocabulary = load_vocabulary(args.vocabulary or FIXED_VOCABULARIES.get(args.fixed, "scenes-143"))
    if args.fixed:
        recipe, scenes = dict(fixed=args.fixed), load_fixed_scenes(args.fixed)
        last = len(scenes) if args.num is None else min(len(scenes), args.first + args.num)
    else:
        recipe = generator_options(args, vocabulary)
        scenes, last = SceneGenerator(**recipe), args.first + (100 if args.num is None else args.num)
    try:
        writer = SceneWriter(
            args.folder, vocabulary=vocabulary, split=args.split, labelled=args.labelled, recipe=recipe
        )
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    missing = [index for index in range(args.first, last) if index not in writer]
    start = time.process_time()
    with progress_bar(len(missing), "scenes") as advance:
        count = writer.write(_drawn(scenes, missing, advance))
    seconds = time.process_time() - start
    speed = f", {len(missing) / seconds:.1f} a second of CPU time" if missing else ""
    print(f"{len(missing)} scenes written{speed}; {args.folder} holds {count}")


def _drawn(scenes, indices, advance):
    for index in indices:
        yield index, scenes[index]
        advance(1)


if __name__ == "__main__":
    main()
