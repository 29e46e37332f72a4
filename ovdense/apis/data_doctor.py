"""``ovdense data list`` and ``ovdense data doctor``: data sets that are known, and whether a folder holds one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ovdense.datasets.doctor import Report, dataset_names, examine, load_description


def list_data() -> str:
    """A line for each data set: name, where configs look for it, what it is."""
    rows = [load_description(name) for name in dataset_names()]
    width = max(len(row["name"]) for row in rows)
    place = max(len(row["root"]) for row in rows)
    return "\n".join(f"{row['name']:<{width}}  {row['root']:<{place}}  {row['title']}" for row in rows)


def data_doctor(
    name: str,
    path: str | Path | None = None,
    *,
    parts: Sequence[str] | None = None,
    sample: int | None = 500,
    subset: bool = False,
    progress: bool = False,
) -> Report:
    """Examines a data set; see ``ovdense.datasets.doctor.examine``.

    Args:
        path: its folder; None for where the configs look.
        progress: show a bar on the error stream.
    """
    root = Path(path) if path is not None else Path(load_description(name)["root"])
    bar = _bar if progress else (lambda items, _: items)
    return examine(name, root, parts=parts, sample=sample, subset=subset, progress=bar)


def render_report(report: Report) -> str:
    """The report as text for people: what was counted, then what was found, worst first."""
    lines = [f"{report.dataset}: {report.title}", f"folder {report.path}", ""]
    for part, facts in report.facts.items():
        if facts:
            words = (f"{key.replace('_', ' ')} {value}" for key, value in facts.items())
            lines.append(f"  {part:<10} {', '.join(words)}")
    for level in ("error", "warning", "note"):
        lines += [""] * bool(report.of(level)) + [str(finding) for finding in report.of(level)]
    counts = report.to_dict()["counts"]
    total = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items())
    return "\n".join([*lines, "", f"{'fit for use' if report.ok else 'NOT fit for use'}: {total}"])


def write_report(report: Report, path: str) -> None:
    """The report as json, to a file or to standard output (``-``)."""
    text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        Path(path).write_text(text, encoding="utf-8")


def _bar(items: Iterable, text: str) -> Iterable:
    from rich.console import Console
    from rich.progress import track

    return track(items, description=text, console=Console(stderr=True), transient=True)
