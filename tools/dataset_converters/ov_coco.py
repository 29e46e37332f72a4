"""Writes the annotation files of OV-COCO from the official ones.

    python tools/dataset_converters/ov_coco.py data/coco/annotations
    python tools/dataset_converters/ov_coco.py --val instances_val2017.json --out FOLDER

| protocol | files | category table | pictures |
|---|---|---|---|
| ov-coco-65 | instances_train2017_seen_2, ..._seen_2_65_cat, instances_val2017_all_2 | 48, 65, 65 | with a box |
| ov-coco-80 | instances_train2017_base, instances_val2017_base, instances_val2017_novel | 80 | all |
| ov-coco-constrained | instances_val2017_seen_2, instances_val2017_unseen_2 | 48, 17 | with a box |

Files that are there already, whole and of the same source, are left alone, so that the command can be repeated. Counts
of pictures and annotations that are not those of the papers are named as warnings at the end.
"""

import argparse
import sys
from pathlib import Path

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.coco_splits import differences, write_parts
from ovdense.datasets.ov_protocols import COCO_PROTOCOLS, coco_parts


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, nargs="?", help="folder with instances_{train,val}2017.json")
    parser.add_argument("--train", type=Path, help="instances_train2017.json, instead of the folder's")
    parser.add_argument("--val", type=Path, help="instances_val2017.json, instead of the folder's")
    parser.add_argument("--out", type=Path, help="folder of the results (default: that of the annotations)")
    parser.add_argument("--protocols", nargs="+", default=COCO_PROTOCOLS, choices=COCO_PROTOCOLS)
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    return parser.parse_args(argv)


def sources_of(args: argparse.Namespace, names: dict[str, str]) -> dict[str, Path]:
    """Official files by source: those that were named, else those of the folder."""
    sources = {key: getattr(args, key) for key in names if getattr(args, key)}
    if args.annotations:
        in_folder = {key: args.annotations / name for key, name in names.items() if key not in sources}
        there = {key: path for key, path in in_folder.items() if path.is_file()}
        if not there and not sources:
            raise SystemExit(f"error: {args.annotations} has none of {', '.join(names.values())}")
        for key in sorted(set(in_folder) - set(there)):
            print(f"{in_folder[key]}: not there, its files are left out")
        sources.update(there)
    if not sources:
        raise SystemExit("error: give the folder of the annotations, or --train and --val")
    return sources


def run(args: argparse.Namespace, parts, sources: dict[str, Path], **options) -> dict:
    from rich.progress import track

    out = args.out or next(iter(sources.values())).parent
    try:
        manifest = write_parts(
            parts,
            sources,
            out,
            force=args.force,
            progress=lambda items, text: track(items, description=text),
            **options,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from error
    for line in differences(parts, manifest):
        print(f"warning: {line}", file=sys.stderr)
    return manifest


def main(argv=None) -> dict:
    args = parse_args(argv)
    parts = [part for protocol in args.protocols for part in coco_parts(protocol)]
    sources = sources_of(args, dict(train="instances_train2017.json", val="instances_val2017.json"))
    return run(args, parts, sources)


if __name__ == "__main__":
    main()
