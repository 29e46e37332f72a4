"""Puts the figures of a report of ``ovdense bench`` into docs/scenes_benchmark.md.

    ovdense bench --json benchmarks/results/scenes_bench.json
    python tools/analysis_tools/scenes_bench_table.py

``--check`` writes nothing and ends with 1 where the page is not what the report says.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ovdense.apis.bench import DETECTION, FIGURES, PANOPTIC, SEGMENTATION, main_figure

ROOT = Path(__file__).resolve().parents[2]
REPORT, PAGE = ROOT / "benchmarks" / "results" / "scenes_bench.json", ROOT / "docs" / "scenes_benchmark.md"
BEGIN, END = "<!-- figures: written by tools/analysis_tools/scenes_bench_table.py -->", "<!-- end of figures -->"
TITLES = {
    "mIoU": ("Segmentation, mIoU", SEGMENTATION, "(chance)"),
    "bbox_AP50": ("Detection and instances, AP50", DETECTION, "(chance)"),
    "PQ": ("Panoptic", {**PANOPTIC, **dict.fromkeys(key for key in FIGURES if key[:2] in ("SQ", "RQ"))}, "(chance)"),
}


def tables_of(report: dict) -> str:
    """The figures as Markdown: one table for each kind of task, and the ratios."""
    blocks = []
    for main, (title, figures, unit) in TITLES.items():
        rows = [row for row in report["results"] if main_figure(row) == main]
        columns = [key for key in figures if any(key in row for row in rows)]
        if rows:
            heads = ["task", "config", "scenes", *columns]
            lines = [
                [row["task"], f"`{row['config']}`", row["scenes"], *(_cell(row, key) for key in columns)]
                for row in rows
            ]
            blocks.append(f"**{title} {unit}**\n\n{_table(heads, lines)}")
    for row in report["ratios"]:
        shares = ", ".join(f"{key} {row[key]} %" for key in FIGURES if key in row)
        blocks.append(f"`{row['config']}`: `{row['task']}` reaches of `{row['to']}`: {shares}.")
    versions = report["versions"]
    told = ", ".join(f"{name} {versions[name]}" for name in ("ovdense", "torch", "mmdet", "mmseg") if name in versions)
    commit = report["git"].get("commit")
    changed = " with changes" if report["git"].get("modified") else ""
    blocks.append(f"Measured with {told}{f', commit {commit[:10]}{changed}' if commit else ''}.")
    return "\n\n".join(blocks)


def _cell(row: dict, key: str) -> str:
    if key not in row:
        return ""
    return f"{row[key]} ({row['chance'][key]})" if key in row["chance"] else f"{row[key]}"


def _table(heads: list, rows: list[list]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def with_figures(page: str, report: dict) -> str:
    """The page with the report's tables between its two marks.

    Raises:
        ValueError: the page lacks the marks.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page needs one line {BEGIN!r} and one {END!r}")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{tables_of(report)}\n\n{END}{after}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", type=Path, default=REPORT, help="file that ovdense bench --json wrote")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    args = parser.parse_args(argv)
    page = args.page.read_text(encoding="utf-8")
    updated = with_figures(page, json.loads(args.report.read_text(encoding="utf-8")))
    if args.check:
        print("up to date" if page == updated else f"{args.page} is not what {args.report} says")
        return int(page != updated)
    args.page.write_text(updated, encoding="utf-8")
    print(f"{args.page}: figures of {args.report}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
