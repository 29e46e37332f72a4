"""What the benchmarks share: where a result comes from, the peak memory of a process, tables and files."""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def environment(threads: int) -> dict:
    """Date, hardware, versions and commit of a result."""
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    root = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True).stdout
    date = datetime.date.today().isoformat()
    return {"date": date, "hardware": cpu, "threads": threads, "torch": torch.__version__, "commit": commit.strip()}


def timed(function: Callable, *args) -> tuple[float, Any]:
    """CPU seconds of one call, and its result."""
    start = time.process_time()
    result = function(*args)
    return time.process_time() - start, result


def own_peak() -> int:
    """Peak memory of this process in bytes; ru_maxrss starts at the parent's peak on Linux, so /proc is asked first."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_of(script: str, *options: object) -> int:
    """Megabytes: what the script prints, in bytes, as the peak of a process of its own with these options."""
    command = [sys.executable, script, *map(str, options)]
    return round(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]) / 1e6)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """``--json`` and ``--csv``."""
    parser.add_argument("--json", type=Path, help="write environment and rows to this file")
    parser.add_argument("--csv", type=Path, help="append the rows, with date, hardware and commit, to this file")


class Report:
    """Rows of a result: printed as they come, kept as JSON or appended to a CSV table."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.about, self.rows = args, environment(args.threads), []
        print(", ".join(f"{key} {value}" for key, value in self.about.items()))

    def add(self, row: dict) -> None:
        """Takes a row; files are written at once, so that a stopped run leaves what it has measured."""
        self.rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        if self.args.json:
            self.args.json.write_text(json.dumps({**self.about, "rows": self.rows}, indent=1))
        if self.args.csv:
            self._append(self.args.csv, {**self.about, **row})

    @staticmethod
    def _append(path: Path, row: dict) -> None:
        """Adds a line; columns that the table does not have yet are added to it, empty in its earlier lines."""
        lines = list(csv.DictReader(path.open(newline=""))) if path.exists() else []
        fields = list(dict.fromkeys([*(lines[0] if lines else ()), *row]))
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields, restval="")
            writer.writeheader()
            writer.writerows([*lines, row])
