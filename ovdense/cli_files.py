"""The commands ``ovdense zoo`` and ``ovdense data``: published checkpoints, and data sets on disk."""

from __future__ import annotations

import argparse
import sys


def add_zoo(commands) -> list[argparse.ArgumentParser]:
    """The commands on published checkpoints."""
    zoo = commands.add_parser("zoo", help="published checkpoints: list, info, download, convert")
    actions = zoo.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", help="every checkpoint with its licence and published figure")
    listed.add_argument("--method", help="only those of a method whose name holds this")
    info = actions.add_parser("info", help="where it is published, how it is converted and tested")
    download = actions.add_parser("download", help="fetch the file; goes on where an earlier try stopped")
    download.add_argument("--out", default="checkpoints", metavar="DIR", help="folder (default: %(default)s)")
    download.add_argument("--mirror", metavar="FROM=TO", help="read from another address (also OVDENSE_MIRROR)")
    convert = actions.add_parser("convert", help="turn a local file into weights for our config")
    convert.add_argument("--source", required=True, metavar="FILE", help="the file as its authors published it")
    convert.add_argument("--out", metavar="FILE", help="file to write (default: checkpoints/NAME.pth)")
    for action in (info, download, convert):
        action.add_argument("name", metavar="NAME", help="as `ovdense zoo list` gives it")
    for action in (listed, info):
        action.add_argument("--json", action="store_true", help="as json")
    return [listed, info, download, convert]


def add_data(commands) -> list[argparse.ArgumentParser]:
    data = commands.add_parser("data", help="the data sets that are known, and whether a folder holds one of them")
    actions = data.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="names, places and titles")
    doctor = actions.add_parser("doctor", help="what is wrong with a data set on disk, and how to mend it")
    doctor.add_argument("name", metavar="NAME", help="ade20k-150, voc21, coco-stuff, ... (ovdense data list)")
    doctor.add_argument("path", metavar="PATH", nargs="?", help="its folder (default: where the configs look)")
    doctor.add_argument("--split", nargs="+", metavar="SPLIT", help="train, val, ... (default: all that are there)")
    doctor.add_argument(
        "--sample", type=_sample, default=500, metavar="N|all", help="files of a split to open (default: %(default)s)"
    )
    doctor.add_argument("--subset", action="store_true", help="the folder holds some of the official files on purpose")
    doctor.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="the report as json, to a file or instead of the text"
    )
    return [listing, doctor]


def run_zoo(args) -> int:
    from ovdense.apis import zoo

    if args.action == "list":
        entries = [each for each in zoo.zoo() if (args.method or "").lower() in each.method.lower()]
        print(zoo.as_json(entries) if args.json else zoo.as_table(entries))
        return 0 if entries else 1
    entry = zoo.find_checkpoint(args.name)
    if args.action == "info":
        print(zoo.as_json([entry]) if args.json else zoo.as_text(entry))
    elif args.action == "download":
        from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

        with Progress(*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()) as progress:
            task = progress.add_task(entry.file, total=None)
            path = zoo.download(
                entry,
                args.out,
                mirrors=args.mirror,
                told=lambda done, total: progress.update(task, completed=done, total=total),
            )
        print(path)
    else:
        target = args.out or f"checkpoints/{entry.name}.pth"
        zoo.convert(entry, args.source, target)
        print(f"{target}: {entry.test.format(target=target)}")
    return 0


def run_data(args) -> int:
    from ovdense.apis.data_doctor import data_doctor, list_data, render_report, write_report

    if args.action == "list":
        print(list_data())
        return 0
    options = dict(parts=args.split, sample=args.sample, subset=args.subset, progress=sys.stderr.isatty())
    report = data_doctor(args.name, args.path, **options)
    if args.json != "-":
        print(render_report(report))
    if args.json:
        write_report(report, args.json)
    return int(not report.ok)


def _sample(text: str) -> int | None:
    return None if text == "all" else positive(text)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return value
