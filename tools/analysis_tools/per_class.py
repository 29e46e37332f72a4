"""IoU of every class, of groups of classes, and what is taken for what, from stored label maps.

    python tools/test.py CONFIG CHECKPOINT --out labels
    python tools/analysis_tools/per_class.py CONFIG labels
    python tools/analysis_tools/per_class.py CONFIG labels --groups seen unseen --json scores.json --matrix matrix.png
    python tools/analysis_tools/per_class.py CONFIG labels --split voc-15-5

Groups are those of the data set or of the shipped vocabulary that --vocabulary names (base and novel, seen and unseen,
thing and stuff); --split gives seen, unseen and their harmonic mean.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from rich.console import Console
from rich.progress import track
from rich.table import Table

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.apis.stored_predictions import StoredPredictions
from ovdense.evaluation.confusion import ConfusionMatrix
from ovdense.evaluation.seen_unseen_iou import harmonic_mean
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.models.zero_shot_splits import load_split


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="the config that the maps were made with")
    parser.add_argument("labels", help="folder that tools/test.py --out wrote")
    parser.add_argument("--groups", nargs="+", default=[], help="names of groups, such as base novel")
    parser.add_argument("--vocabulary", help="shipped vocabulary that has the groups (default: the data set)")
    parser.add_argument("--split", help="zero-shot split, such as voc-15-5")
    parser.add_argument("--sort", choices=["name", "IoU", "share"], help="order of the table (default: the labels')")
    parser.add_argument("--json", type=Path, help="write all figures to a file")
    parser.add_argument("--csv", type=Path, help="write the table of classes to a file")
    parser.add_argument("--matrix", type=Path, help="write a picture of the confusion matrix (.png)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="settings of the config to change")
    return parser.parse_args(argv)


def groups_of(args: argparse.Namespace, stored: StoredPredictions) -> dict[str, list[int]]:
    """Indices of the classes of every group that was asked for.

    Raises:
        SystemExit: an unknown group.
    """
    if args.split:
        return load_split(args.split).groups(stored.classes)
    known = dict(stored.dataset.metainfo.get("groups") or {})
    if args.vocabulary:
        vocabulary = load_vocabulary(args.vocabulary)
        members = {
            name: {vocabulary.classes[index] for index in indices} for name, indices in vocabulary.groups.items()
        }
        known = {name: [i for i, one in enumerate(stored.classes) if one in words] for name, words in members.items()}
    missing = [name for name in args.groups if not known.get(name)]
    if missing:
        raise SystemExit(
            f"error: no group {', '.join(missing)}; there are {', '.join(known) or 'none'}: see --vocabulary"
        )
    return {name: known[name] for name in args.groups}


def report(matrix: ConfusionMatrix, groups: dict[str, list[int]], pictures: int) -> dict:
    content = dict(pictures=pictures, **matrix.summary(), groups={}, classes=matrix.rows())
    for name, members in groups.items():
        content["groups"][name] = dict(classes=len(members), **matrix.summary(members))
    if {"seen", "unseen"} <= set(groups):
        seen, unseen = (float(np.nanmean(matrix.iou[groups[name]])) for name in ("seen", "unseen"))
        content["hIoU"] = round(harmonic_mean(seen, unseen), 2)
    content["mixups"] = [dict(truth=true, taken_for=found, share=share) for true, found, share in matrix.mixups()]
    return content


def show(content: dict, sort: str | None) -> None:
    rows = content["classes"]
    if sort:
        rows = sorted(rows, key=lambda row: row[sort] if row[sort] == row[sort] else -1)
    table = Table("class", "IoU", "Acc", "% of pixels", "most often taken for")
    for row in rows:
        table.add_row(row["name"], f"{row['IoU']:.2f}", f"{row['Acc']:.2f}", f"{row['share']:.2f}", row["taken_for"])
    console = Console()
    console.print(table)
    for name, group in content["groups"].items():
        console.print(f"{name} ({group['classes']} classes): mIoU {group['mIoU']:.2f}, mAcc {group['mAcc']:.2f}")
    if "hIoU" in content:
        console.print(f"hIoU {content['hIoU']:.2f}")
    words = "; ".join(f"{one['truth']} as {one['taken_for']} {one['share']} %" for one in content["mixups"][:5])
    console.print(f"commonest errors: {words or 'none'}")
    console.print(
        f"{content['pictures']} pictures: mIoU {content['mIoU']}, mAcc {content['mAcc']}, aAcc {content['aAcc']}"
    )


def paint(matrix: ConfusionMatrix, path: Path) -> None:
    """The matrix, each row brought to 100 %; at most 40 classes get their names."""
    from matplotlib.figure import Figure

    shares = 100 * matrix.counts / np.maximum(matrix.counts.sum(1, keepdims=True), 1)
    total = len(matrix.classes)
    side = min(4 + 0.25 * total, 24)
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot()
    bar = axes.imshow(shares, vmin=0, vmax=100, cmap="Blues")
    axes.set(xlabel="prediction", ylabel="truth", title="% of the true pixels")
    if total <= 40:
        axes.set_xticks(range(total), matrix.classes, rotation=90)
        axes.set_yticks(range(total), matrix.classes)
    figure.colorbar(bar, shrink=0.7)
    figure.savefig(path, dpi=100, bbox_inches="tight")


def main(argv=None) -> dict:
    args = parse_args(argv)
    stored = StoredPredictions(args.config, args.labels, args.cfg_options)
    groups = groups_of(args, stored)
    matrix, pictures = ConfusionMatrix(stored.classes, ignore_index=stored.ignore_index), 0
    for one in track(stored, "pictures", total=len(stored), console=Console(stderr=True), transient=True):
        matrix.add(one.truth, one.predicted)
        pictures += 1
    content = report(matrix, groups, pictures)
    show(content, args.sort)
    if args.json:
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(content["classes"][0]))
            writer.writeheader()
            writer.writerows(content["classes"])
    if args.matrix:
        paint(matrix, args.matrix)
    return content


if __name__ == "__main__":
    main()
