"""The command ``ovdense``: demo, segment, detect, panoptic, name-regions, doctor, bench, zoo, data.

Exit codes: 0 all done; 1 some pictures failed or a data set is not fit for use; 2 nothing could be done (bad arguments,
missing weights, unwritable folder). Heavy libraries are imported within the commands, so that ``--help`` answers at
once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import warnings

from ovdense.cli_files import add_data, add_zoo, positive, run_data, run_zoo
from ovdense.version import __version__

# As apis.regions.PROMPTS and apis.label_files.FORMATS, whose modules are too heavy for --help.
PROMPTS = ("roi", "crop", "red-circle", "blur", "falip", "alpha")
FORMATS = ("coco", "yolo", "label-studio")

EPILOG = """\
examples:
  ovdense demo
  ovdense segment photo.jpg --classes "cat, dog, grass"
  ovdense segment photos/ --classes names.txt --out results
  ovdense detect photo.jpg --classes coco-80 --score-thr 0.3 --formats yolo label-studio
  ovdense detect clip.mp4 --classes "person, dog"
  ovdense panoptic photo.jpg --things "person, dog" --stuff "grass, sky"
  ovdense name-regions photo.jpg --boxes 10,20,200,240 --classes lvis-1203
  ovdense data doctor ade20k-150 data/ade/ADEChallengeData2016
  ovdense segment photo.jpg --classes "cat, dog" --model ViT-B-16 --pretrained openai --method sclip
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ovdense",
        description="Segment images and box their objects by words of your own choosing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ovdense {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="segment and box photographs and a drawn scene, with the embedded models")
    demo.add_argument(
        "--out", default="outputs/demo", metavar="DIR", help="folder of the results (default: %(default)s)"
    )
    demo.add_argument("--device", help="cpu, cuda:0, ... (default: the GPU if there is one)")
    segment = commands.add_parser("segment", help="a class for every pixel")
    _add_common(segment, "outputs/segment")
    segment.add_argument(
        "--background",
        metavar="POLICY",
        help="none: every pixel takes a class; threshold: weak pixels stay free (see --threshold); "
        "or background names of your own, separated by commas",
    )
    segment.add_argument("--threshold", type=_probability, help="probability below which a pixel is background")
    detect = commands.add_parser("detect", help="boxes, and masks where the detector makes them")
    _add_common(detect, "outputs/detect")
    detect.add_argument("--score-thr", type=_probability, help="lowest score that is shown (default: the config's)")
    detect.add_argument("--max-dets", type=positive, default=30, help="boxes per image at most (default: %(default)s)")
    detect.add_argument("--proposals", metavar="JSON", help="your own boxes to name, xyxy lists or a COCO json")
    panoptic = commands.add_parser("panoptic", help="things one by one and stuff as regions, in one picture")
    _add_common(panoptic, "outputs/panoptic")
    panoptic.add_argument("--things", help='countable names ("person, dog"), as --classes takes them, instead of it')
    panoptic.add_argument("--stuff", help='uncountable names ("grass, sky"); goes with --things')
    detect.add_argument(
        "--formats",
        nargs="+",
        default=[],
        choices=FORMATS,
        metavar="FORMAT",
        help="coco (always written), yolo, label-studio",
    )
    detect.add_argument("--no-track", action="store_true", help="videos: boxes frame by frame, without track numbers")
    detect.add_argument("--every", type=positive, default=1, metavar="N", help="videos: one frame in N")
    regions = commands.add_parser("name-regions", help="names for boxes that you give")
    regions.add_argument("image", metavar="IMAGE", help="image file")
    regions.add_argument("--boxes", nargs="+", required=True, metavar="X0,Y0,X1,Y1", help="boxes in pixels")
    regions.add_argument("--classes", required=True, help="as of detect; thousands are fine (lvis-1203)")
    prompts = f"{', '.join(PROMPTS)} (default: %(default)s)"
    regions.add_argument("--prompt", default="roi", choices=PROMPTS, metavar="PROMPT", help=prompts)
    regions.add_argument("--negatives", help="names whose mean similarity is taken off")
    regions.add_argument("--model", default="lite", help="as of detect")
    regions.add_argument("--pretrained", help="as of detect")
    regions.add_argument("--top", type=positive, default=3, help="names a box (default: %(default)s)")
    regions.add_argument("--device", help="cpu, cuda:0, ... (default: the GPU if there is one)")
    regions.add_argument("--json", metavar="FILE", help="write boxes and names to a json file")
    regions.add_argument("--plot", metavar="FILE", help="write the picture with the boxes and their best names")
    doctor = commands.add_parser("doctor", help="what is native, emulated or missing on this machine, and what to do")
    bench = commands.add_parser("bench", help="the shipped models on the fixed scenes, beside chance")
    bench.add_argument(
        "--tasks", nargs="+", metavar="TASK", help="semantic-48, synonyms, detection, panoptic, ... (default: all)"
    )
    bench.add_argument("--limit", type=positive, metavar="N", help="scenes a task at most")
    bench.add_argument("--json", metavar="FILE", help="write figures, chance levels and versions to a json file")
    actions = [*add_zoo(commands), *add_data(commands)]
    for command in (demo, segment, detect, panoptic, regions, doctor, bench, *actions):
        command.add_argument("--debug", action="store_true", help="show warnings, logs and full tracebacks")
    return parser


def _add_common(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders or patterns")
    parser.add_argument(
        "--classes",
        help='names separated by commas ("cat, dog"), a .txt, .json or COCO .json file, or a shipped vocabulary '
        "(coco-80, ade20k-150, ...); needed unless the config brings its own",
    )
    parser.add_argument(
        "--model",
        default="lite",
        help="lite (photos), scenes (drawings), vit-b16_metaclip and others with their weights, or an open_clip model",
    )
    parser.add_argument("--pretrained", help="open_clip tag such as openai, or a local weights file")
    parser.add_argument("--method", help="maskclip, sclip, ... (default: the model's own)")
    parser.add_argument("--config", help="a config file or the name of a shipped one, instead of model and method")
    parser.add_argument("--checkpoint", help="trained weights for --config")
    parser.add_argument("--templates", help="prompt templates: single, vild, imagenet-80, ... or one with {} in it")
    parser.add_argument("--device", help="cpu, cuda:0, ... (default: the GPU if there is one)")
    parser.add_argument("--out", default=out, metavar="DIR", help="folder of the results (default: %(default)s)")
    parser.add_argument("--batch-size", type=positive, default=1, help="images of equal size computed together")
    parser.add_argument("--no-legend", action="store_true", help="overlays without the list of names")
    parser.add_argument("--json", action="store_true", help="write a COCO json too (detect always does)")


def main(argv: list[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    try:
        with _calm(args.debug):
            commands = {"demo": _demo, "segment": _segment, "detect": _detect, "panoptic": _panoptic}
            commands |= {
                "name-regions": _name_regions,
                "doctor": _doctor,
                "bench": _bench,
                "zoo": run_zoo,
                "data": run_data,
            }
            return commands[args.command](args)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug or not isinstance(error, _expected_errors()):
            raise
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return 2


def _segment(args) -> int:
    predictor = _predictor(args, "segmentation")
    return _run(args, predictor, None, json=args.json)


def _detect(args) -> int:
    predictor = _predictor(args, "detection").set_proposals(args.proposals)

    def adjust(result):
        result = result.above(args.score_thr) if args.score_thr is not None else result
        return result.top(args.max_dets)

    _detect_videos(args, predictor, adjust)
    return _run(args, predictor, adjust, json=True, formats=args.formats) if args.images else 0


def _detect_videos(args, predictor, adjust) -> None:
    """Does the videos among the sources and leaves the pictures."""
    from ovdense.apis.video import detect_video, is_video

    for source in filter(is_video, args.images):
        report = detect_video(
            predictor,
            source,
            args.out,
            track=not args.no_track,
            every=args.every,
            adjust=adjust,
            progress=sys.stderr.isatty(),
        )
        tracks = "" if report.tracks is None else f", {report.tracks} tracks"
        print(f"{source}: {report.frames} frames, {report.boxes} boxes{tracks}")
        for path in report.files:
            print(f"wrote {path}")
    args.images = [source for source in args.images if not is_video(source)]


def _name_regions(args) -> int:
    from ovdense.apis.files import write_image, write_json
    from ovdense.apis.regions import RegionNamer, as_boxes

    boxes = as_boxes(args.boxes)
    namer = RegionNamer.from_pretrained(args.model, args.pretrained, device=args.device, prompt=args.prompt)
    names = namer.classify_regions(args.image, boxes=boxes, vocabulary=args.classes, negatives=args.negatives)
    found = names.top(args.top)
    for box, words in zip(boxes, found):
        print(f"{','.join(f'{value:g}' for value in box)}: {', '.join(f'{name} {score:.2f}' for name, score in words)}")
    if args.json:
        rows = [dict(box=box, names=[dict(name=n, score=s) for n, s in words]) for box, words in zip(boxes, found)]
        print(f"wrote {write_json(args.json, dict(image=args.image, prompt=args.prompt, regions=rows))}")
    if args.plot:
        print(f"wrote {write_image(args.plot, names.plot(args.image))}")
    return 0


def _panoptic(args) -> int:
    return _run(args, _predictor(args, "panoptic"), None, json=args.json)


def _demo(args) -> int:
    from ovdense.apis.demo import run_demo

    run_demo(args.out, device=args.device)
    return 0


def _doctor(args) -> int:
    from ovdense.apis.doctor import run_doctor

    return run_doctor() or 0


def _bench(args) -> int:
    import json
    from pathlib import Path

    from ovdense.apis.bench import run_bench, table_of

    with contextlib.redirect_stdout(io.StringIO()):
        report = run_bench(args.tasks, args.limit)
    print(table_of(report))
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _predictor(args, task: str):
    """The Segmenter, Detector or PanopticSegmenter that the arguments ask for, with its words set."""
    from ovdense.apis import ConfigError, Detector, PanopticSegmenter, Segmenter

    kind = {"segmentation": Segmenter, "detection": Detector, "panoptic": PanopticSegmenter}[task]
    if args.config:
        predictor = kind.from_config(args.config, args.checkpoint, args.device)
    elif args.checkpoint:
        raise ConfigError(f"--checkpoint goes with --config, got only {args.checkpoint}")
    else:
        predictor = kind.from_pretrained(args.model, args.pretrained, method=args.method, device=args.device)
    kinds = {name: getattr(args, name, None) for name in ("things", "stuff")}
    if any(kinds.values()):
        predictor.set_vocabulary(args.classes, **kinds, **_vocabulary_options(args))
    elif args.classes is not None:
        predictor.set_vocabulary(args.classes, **_vocabulary_options(args))
    elif predictor.vocabulary is None:
        raise ConfigError('no words to look for: add --classes "cat, dog"')
    elif _vocabulary_options(args):
        predictor.set_vocabulary(predictor.vocabulary, **_vocabulary_options(args))
    return predictor


def _vocabulary_options(args) -> dict:
    options = {}
    if args.templates:
        options["templates"] = args.templates
    policy, threshold = getattr(args, "background", None), getattr(args, "threshold", None)
    if policy in (None, "threshold") and (policy or threshold is not None):
        options["background"] = dict(policy="threshold", threshold=0.5 if threshold is None else threshold)
    elif policy == "none":
        options["background"] = "none"
    elif policy:
        names = [name.strip() for name in policy.split(",") if name.strip()]
        options["background"] = dict(policy="names", names=names, threshold=threshold)
    return options


def _run(args, predictor, adjust, *, json: bool, formats=()) -> int:
    from ovdense.apis import predict_to_folder

    report = predict_to_folder(
        predictor,
        args.images,
        args.out,
        batch_size=args.batch_size,
        legend=not args.no_legend,
        json=json,
        adjust=adjust,
        progress=sys.stderr.isatty(),
        formats=formats,
    )
    _print_report(report)
    if not report.failed:
        return 0
    return 1 if report.rows else 2


def _print_report(report) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ovdense.apis.batch import list_files

    if report.rows:
        table = Table("image", "found", "overlay")
        for row in report.rows[:200]:
            table.add_row(*map(escape, row))
        Console(width=None if sys.stdout.isatty() else 160).print(table)
    overlays = {overlay for _, _, overlay in report.rows} if len(report.rows) > 1 else set()
    for path in list_files(path for path in report.files if str(path) not in overlays):
        print(f"wrote {path}")
    for failure in report.failed:
        print(f"failed: {_one_line(failure.error)}", file=sys.stderr)
    total = len(report.rows) + len(report.failed)
    if report.failed and total > 1:
        print(f"{len(report.failed)} of {total} failed", file=sys.stderr)


@contextlib.contextmanager
def _calm(debug: bool):
    """Keeps the libraries' start-up chatter from the terminal unless ``--debug`` is given."""
    if debug:
        yield
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import mmdet.datasets  # noqa: F401
            import mmseg.datasets  # noqa: F401
        yield
    finally:
        logging.disable(logging.NOTSET)


def _expected_errors() -> tuple[type[BaseException], ...]:
    """What bad arguments, files and machines raise; anything else is a defect and shows its traceback."""
    return (ValueError, OSError, ImportError, RuntimeError, MemoryError)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie in [0, 1], got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
