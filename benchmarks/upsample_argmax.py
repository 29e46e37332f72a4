"""Labels at full resolution: ``upsample_argmax`` against ``F.interpolate`` + ``argmax`` on the same logits.

Both run in this process in turn, so that their ratio holds when the machine's speed drifts; times are the CPU time
of the fastest run. Labels are compared pixel by pixel. Peak memory is that of a process of its own for each.

Shapes: S classes, grid h x w, output H x W. Logits: ``cosine`` (smooth features times related text rows, as a CLIP head
gives them), ``smooth`` (low-pass noise), ``white`` (independent noise: the hardest case for pruning).

    python benchmarks/upsample_argmax.py --json result.json
"""

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
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.upsample_argmax import upsample_argmax

SIZES = ((448, 672), (1024, 1024), (2048, 2048))
CLASSES = (20, 150, 847)
KINDS = ("cosine", "smooth", "white")
PATCH = 16
CHANNELS = 512


def make_logits(kind: str, classes: int, h: int, w: int) -> Tensor:
    """(1, S, h, w) logits, the same for the same arguments."""
    generator = torch.Generator().manual_seed(classes)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    if kind == "white":
        return noise(1, classes, h, w)
    if kind == "smooth":
        return F.interpolate(noise(1, classes, h // 4, w // 4), size=(h, w), mode="bicubic")
    regions = F.interpolate(noise(1, CHANNELS, 6, 6), size=(h, w), mode="bicubic")
    features = regions + 0.3 * noise(1, CHANNELS, h, w) + noise(1, CHANNELS, 1, 1)
    groups = noise(1 + classes // 8, CHANNELS).repeat_interleave(8, 0)[:classes]
    rows = groups + 0.7 * noise(classes, CHANNELS) + 2 * noise(1, CHANNELS)
    return torch.einsum("bchw,kc->bkhw", F.normalize(features, dim=1), F.normalize(rows, dim=1))


def plain(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """What a user would write."""
    return F.interpolate(logits, size=size, mode="bilinear").argmax(1)


def fastest(function, logits: Tensor, size: tuple[int, int], runs: int) -> tuple[float, Tensor]:
    """CPU seconds of the fastest of some runs, and the labels."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        labels = function(logits, size)
        times.append(time.process_time() - start)
    return min(times), labels


def compare_labels(logits: Tensor, labels: Tensor, expected: Tensor) -> tuple[int, float]:
    """Number of differing pixels, and the largest gap between the logits (float64) of the two labels there."""
    _, y, x = (labels != expected).nonzero(as_tuple=True)
    if not len(y):
        return 0, 0.0
    height, width = labels.shape[1:]
    gaps = []
    for row, column in zip(y.tolist(), x.tolist()):
        pair = torch.stack([labels[0, row, column], expected[0, row, column]])
        planes = F.interpolate(logits[:, pair].double(), size=(height, width), mode="bilinear")[0, :, row, column]
        gaps.append(float((planes[0] - planes[1]).abs()))
    return len(y), max(gaps)


def peak_memory(way: str, kind: str, classes: int, size: tuple[int, int], threads: int) -> int:
    """Bytes: peak of a process that makes the logits and labels them once."""
    command = [sys.executable, __file__, "--peak", way, kind, str(classes), *map(str, size), "--threads", str(threads)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(kind: str, classes: int, size: tuple[int, int], args: argparse.Namespace) -> dict:
    """One row of the result."""
    logits = make_logits(kind, classes, size[0] // PATCH, size[1] // PATCH)
    row = {"kind": kind, "classes": classes, "height": size[0], "width": size[1]}
    upsample_argmax(logits, size)
    ours, labels = fastest(upsample_argmax, logits, size, args.runs)
    row["ours_s"] = round(ours, 4)
    if classes * size[0] * size[1] * 4 <= args.plain_gigabytes * 1e9:
        seconds, expected = fastest(plain, logits, size, 1 if args.quick else 2)
        row |= {"plain_s": round(seconds, 4), "ratio": round(seconds / ours, 1)}
        row["differing"], row["largest_gap"] = compare_labels(logits, labels, expected)
        del expected
    if not args.no_memory:
        row["ours_peak_mb"] = round(peak_memory("ours", kind, classes, size, args.threads) / 1e6)
        if "plain_s" in row:
            row["plain_peak_mb"] = round(peak_memory("plain", kind, classes, size, args.threads) / 1e6)
    return row


def parse_size(text: str) -> tuple[int, int]:
    """(H, W) of a text such as 448x672."""
    height, width = map(int, text.split("x"))
    return height, width


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5, help="runs of ours; the fastest counts")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--classes", nargs="+", type=int, default=list(CLASSES))
    parser.add_argument("--sizes", nargs="+", type=parse_size, default=list(SIZES), help="outputs as HxW")
    parser.add_argument("--plain-gigabytes", type=float, default=4.0, help="largest tensor that the plain way may make")
    parser.add_argument("--quick", action="store_true", help="small sizes, for tests")
    parser.add_argument("--no-memory", action="store_true", help="do not start processes to measure memory")
    parser.add_argument("--json", type=Path, help="write environment and rows to this file")
    parser.add_argument("--csv", type=Path, help="append the rows, with date, hardware and commit, to this file")
    parser.add_argument("--peak", nargs=5, help=argparse.SUPPRESS)
    return parser.parse_args()


def environment(threads: int) -> dict:
    """Date, hardware, versions and commit of a result."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    root = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True).stdout
    date = datetime.date.today().isoformat()
    return {"date": date, "hardware": cpu, "threads": threads, "torch": torch.__version__, "commit": commit.strip()}


def own_peak() -> int:
    """Peak memory of this process in bytes; ru_maxrss starts at the parent's peak on Linux, so /proc is asked first."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    if args.peak:
        way, kind, classes, height, width = args.peak
        size = (int(height), int(width))
        logits = make_logits(kind, int(classes), size[0] // PATCH, size[1] // PATCH)
        (upsample_argmax if way == "ours" else plain)(logits, size)
        print(own_peak())
        return
    sizes = [(64, 160)] if args.quick else args.sizes
    about = environment(args.threads)
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    rows = []
    for size in sizes:
        for classes in args.classes:
            for kind in args.kinds:
                row = measure(kind, classes, size, args)
                rows.append(row)
                if args.csv:
                    write_csv(args.csv, about, [row])
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps({**about, "rows": rows}, indent=1))


def write_csv(path: Path, about: dict, rows: list[dict]) -> None:
    """Append rows to a CSV with a header line."""
    fields = [*about, "kind", "classes", "height", "width", "ours_s", "plain_s", "ratio", "differing", "largest_gap"]
    fields += ["ours_peak_mb", "plain_peak_mb"]
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields)
        if new:
            writer.writeheader()
        writer.writerows({**about, **row} for row in rows)


if __name__ == "__main__":
    main()
