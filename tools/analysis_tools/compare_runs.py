"""Puts the figures of several runs side by side, with the difference to the first, and says where protocols differ.

    python tools/analysis_tools/compare_runs.py work_dirs/A work_dirs/B [--only mIoU hIoU] [--markdown] [--json FILE]

A run is the json file that ``tools/test.py`` wrote (``work_dirs/CONFIG/TIME/TIME.json``), the folder that holds it (the
latest is taken), or the report of ``per_class.py --json``, whose classes are compared, too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

SILENT = ("line", "changed")
NO_FIGURES = ("epoch", "iter", "step", "time", "data_time", "memory")


def read_run(path: Path) -> dict:
    """The content of a result file, or of the latest one below a folder.

    Raises:
        SystemExit: none there, or no json.
    """
    if path.is_dir():
        files = [file for file in path.rglob("*.json") if file.stem == file.parent.name or file.parent == path]
        if not files:
            raise SystemExit(f"error: no result json in {path}: tools/test.py writes work_dirs/CONFIG/TIME/TIME.json")
        path = max(files, key=lambda file: file.stat().st_mtime)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: {path} is no result json: {error}") from None
    if not isinstance(content, dict):
        raise SystemExit(f"error: {path} holds no dict of figures")
    return dict(content, path=str(path))


def figures_of(run: Mapping) -> dict[str, float]:
    """All numbers of a run by a flat name; those of classes as ``class/NAME``."""
    found = {}
    for key, value in run.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and key not in NO_FIGURES:
            found[key] = float(value)
    for name, group in (run.get("groups") or {}).items():
        found[f"mIoU_{name}"] = float(group["mIoU"])
    for row in run.get("classes") or ():
        if isinstance(row, Mapping):
            found[f"class/{row['name']}"] = float(row["IoU"])
    return found


def protocol_differences(runs: list[Mapping]) -> dict[str, list]:
    """Entries of ``protocol`` in which the runs that state one are not alike."""
    protocols = [run["protocol"] for run in runs if isinstance(run.get("protocol"), Mapping)]
    keys = dict.fromkeys(key for protocol in protocols for key in protocol if key not in SILENT)
    values = {key: [protocol.get(key) for protocol in protocols] for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def compare(runs: list[Mapping], only: list[str] | None = None) -> list[dict]:
    """A row for each figure: name, values, and differences to the first run; None where a run lacks it."""
    figures = [figures_of(run) for run in runs]
    names = dict.fromkeys(name for one in figures for name in one)
    rows = []
    for name in names:
        if only and not any(word in name for word in only):
            continue
        values = [one.get(name) for one in figures]
        first = values[0]
        differences = [None if first is None or value is None else round(value - first, 4) for value in values]
        rows.append(dict(name=name, values=values, differences=differences))
    return rows


def cells(row: Mapping) -> list[str]:
    texts = []
    for place, (value, difference) in enumerate(zip(row["values"], row["differences"])):
        text = "-" if value is None else f"{value:.2f}" if abs(value) >= 1 else f"{value:.4f}"
        texts.append(text if place == 0 or difference is None else f"{text} ({difference:+.2f})")
    return [row["name"], *texts]


def main(argv=None) -> dict:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="result json files or their folders; the first is the base")
    parser.add_argument("--only", nargs="+", help="figures whose name contains one of these")
    parser.add_argument("--names", nargs="+", help="titles of the columns")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--json", type=Path, help="write the comparison to a file")
    args = parser.parse_args(argv)
    if args.names and len(args.names) != len(args.runs):
        raise SystemExit(f"error: {len(args.runs)} runs, but {len(args.names)} names")
    runs = [read_run(path) for path in args.runs]
    titles = args.names or [path.parent.name if path.suffix else path.name for path in args.runs]
    rows, different = compare(runs, args.only), protocol_differences(runs)
    if args.markdown:
        print(f"| figure | {' | '.join(titles)} |")
        print("|---" * (len(titles) + 1) + "|")
        for row in rows:
            print("| " + " | ".join(cells(row)) + " |")
    else:
        table = Table("figure", *titles)
        for row in rows:
            table.add_row(*cells(row))
        Console().print(table)
    for key, values in different.items():
        print(f"protocols differ in {key}: {' | '.join(map(str, values))}")
    content = dict(runs=[run["path"] for run in runs], figures=rows, protocols_differ=different)
    if args.json:
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return content


if __name__ == "__main__":
    main()
