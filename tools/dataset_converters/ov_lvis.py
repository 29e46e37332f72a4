"""Writes the annotation files of OV-LVIS from the official ones of LVIS v1.

    python tools/dataset_converters/ov_lvis.py data/lvis/annotations
    python tools/dataset_converters/ov_lvis.py data/lvis/annotations --minival-list names.txt

| file | annotations | category table | pictures |
|---|---|---|---|
| lvis_v1_train_seen | frequent and common classes | 866 | with a box |
| lvis_v1_train_seen_1203_cat | frequent and common classes | 1,203 | with a box |
| lvis_v1_train_norare | frequent and common classes | 1,203 | all |
| lvis_v1_minival_inserted_image_name | all classes | 1,203 | those of val in COCO's val2017, or of the list |

The evaluation on the whole of val takes the official lvis_v1_val.json. Repeating the command does only what is missing.
"""

import argparse
import json
from pathlib import Path

from ov_coco import run, sources_of

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.datasets.ov_protocols import LVIS_PROTOCOLS, MinivalRule, lvis_parts, with_file_names


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("annotations", type=Path, nargs="?", help="folder with lvis_v1_{train,val}.json")
    parser.add_argument("--train", type=Path, help="lvis_v1_train.json, instead of the folder's")
    parser.add_argument("--val", type=Path, help="lvis_v1_val.json, instead of the folder's")
    parser.add_argument("--out", type=Path, help="folder of the results (default: that of the annotations)")
    parser.add_argument("--protocols", nargs="+", default=LVIS_PROTOCOLS, choices=LVIS_PROTOCOLS)
    parser.add_argument(
        "--minival-list",
        type=Path,
        help="pictures of minival: a .txt of ids or file names, a json list, or a COCO json such as the published one",
    )
    parser.add_argument("--force", action="store_true", help="write files anew that are there already")
    return parser.parse_args(argv)


def read_list(path: Path) -> list[str]:
    """Ids or file names of pictures."""
    if not path.is_file():
        raise SystemExit(f"error: no list of minival there: {path}")
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() != ".json":
        return text.split()
    content = json.loads(text)
    content = content["images"] if isinstance(content, dict) else content
    return [str(item["id"] if isinstance(item, dict) else item) for item in content]


def main(argv=None) -> dict:
    args = parse_args(argv)
    minival = MinivalRule(read_list(args.minival_list)) if args.minival_list else None
    parts = [part for protocol in args.protocols for part in lvis_parts(protocol, minival)]
    sources = sources_of(args, dict(train="lvis_v1_train.json", val="lvis_v1_val.json"))
    return run(args, parts, sources, adjust=with_file_names)


if __name__ == "__main__":
    main()
