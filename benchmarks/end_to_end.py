"""An image to its label map: the official way of working against ``OpenVocabSegmentor``, on the same weights.

The official way, as the training-free repositories share it: windows one after the other, each with all K class maps
upsampled to its crop, added into a K x H x W canvas, divided by the count, resized to the original size, scaled,
softmax, argmax. It is written out below. Both run in this process on one random ViT-B/16 and random class rows, so
that their ratio holds when the machine's speed drifts; times are CPU seconds of the fastest run.

    python benchmarks/end_to_end.py --json result.json
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import platform
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ovdense  # noqa: F401  (stand-ins for missing binaries, before anything imports them)
from ovdense.models.segmentors import OpenVocabSegmentor
from ovdense.registry import MODELS

QUICK_CLIP = dict(
    embed_dim=64,
    vision_cfg=dict(image_size=64, layers=2, width=64, head_width=32, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)


def build(args: argparse.Namespace, classes: int, channels: int) -> OpenVocabSegmentor:
    """A NACLIP segmentor with random weights and rows."""
    crop, stride = (64, 32) if args.quick else (args.crop, args.stride)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights are meant
        model = MODELS.build(
            dict(
                type="OpenVocabSegmentor",
                backbone=dict(
                    type="CLIPBackbone", model=QUICK_CLIP if args.quick else "ViT-B-16", attention="kk+gaussian"
                ),
                decode_head=dict(type="PixelTextHead"),
                vocabulary=[f"class {index}" for index in range(classes)],
                class_embeddings=torch.randn(classes, channels),
                test_cfg=dict(mode="slide", crop_size=crop, stride=stride, logit_scale=40.0),
            )
        )
    return model.eval()


@torch.no_grad()
def official(model: OpenVocabSegmentor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """Labels (H,W) the official way."""
    rows = F.normalize(model.class_embeddings.rows, dim=1)
    (crop_y, crop_x), (stride_y, stride_x) = model.test_cfg.crop_size, model.test_cfg.stride
    height, width = image.shape[-2:]
    canvas, count = image.new_zeros(1, len(rows), height, width), image.new_zeros(1, 1, height, width)
    for row in range(max(height - crop_y + stride_y - 1, 0) // stride_y + 1):
        for column in range(max(width - crop_x + stride_x - 1, 0) // stride_x + 1):
            bottom, right = min(row * stride_y + crop_y, height), min(column * stride_x + crop_x, width)
            top, left = max(bottom - crop_y, 0), max(right - crop_x, 0)
            window = image[:, :, top:bottom, left:right]
            features = F.normalize(model.backbone(window).dense, dim=1)
            logits = torch.einsum("bchw,kc->bkhw", features, rows)
            logits = F.interpolate(logits, size=window.shape[-2:], mode="bilinear")
            canvas += F.pad(logits, (left, width - right, top, height - bottom))
            count[..., top:bottom, left:right] += 1
    logits = F.interpolate(canvas / count, size=size, mode="bilinear")[0]
    return (logits * model.test_cfg.logit_scale).softmax(0).argmax(0)


def ours(model: OpenVocabSegmentor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """Labels (H,W) of the segmentor."""
    return model.decode(model.encode(image, [dict(ori_shape=size)]))[0].pred_sem_seg.data[0].long()


class BackboneClock:
    """CPU seconds spent in the backbone since ``reset``."""

    def __init__(self, backbone: nn.Module) -> None:
        backbone.register_forward_pre_hook(lambda *_: self._add(-time.process_time()))
        backbone.register_forward_hook(lambda *_: self._add(time.process_time()))
        self.reset()

    def reset(self) -> None:
        self.seconds = 0.0

    def _add(self, seconds: float) -> None:
        self.seconds += seconds


def fastest(function: Callable, runs: int, clock: BackboneClock, *args) -> tuple[float, float, Tensor]:
    """CPU seconds of the fastest of some runs, in all and without the backbone, and the result."""
    times = []
    for _ in range(runs):
        clock.reset()
        start = time.process_time()
        result = function(*args)
        total = time.process_time() - start
        times.append((total, total - clock.seconds))
    return min(total for total, _ in times), min(rest for _, rest in times), result


def measure(args: argparse.Namespace, classes: int) -> dict:
    """One row of the result."""
    model = build(args, classes, 64 if args.quick else 512)
    image, size = (torch.randn(1, 3, 96, 150), (100, 160)) if args.quick else (torch.randn(1, 3, 448, 597), (512, 683))
    runs = 1 if args.quick else args.runs
    clock = BackboneClock(model.backbone)
    our_time, our_rest, labels = fastest(ours, runs, clock, model, image, size)
    official_time, official_rest, expected = fastest(official, runs, clock, model, image, size)
    return {
        "classes": classes,
        "input": "x".join(map(str, image.shape[-2:])),
        "output": "x".join(map(str, size)),
        "windows": "x".join(map(str, model.encode(image).grid)),
        "official_s": round(official_time, 3),
        "ours_s": round(our_time, 3),
        "ratio": round(official_time / our_time, 2),
        "official_without_backbone_s": round(official_rest, 3),
        "ours_without_backbone_s": round(our_rest, 3),
        "ratio_without_backbone": round(official_rest / our_rest, 1),
        "identical_labels": int((labels == expected).sum()),
        "pixels": labels.numel(),
    }


def environment(threads: int) -> dict:
    """Date, hardware, versions and commit of a result."""
    cpu, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    root = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True).stdout
    date = datetime.date.today().isoformat()
    return {"date": date, "hardware": cpu, "threads": threads, "torch": torch.__version__, "commit": commit.strip()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", nargs="+", type=int, default=[150, 847])
    parser.add_argument("--crop", type=int, default=448)
    parser.add_argument("--stride", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=2, help="runs of each; the fastest counts")
    parser.add_argument("--quick", action="store_true", help="a tiny model and image, for tests")
    parser.add_argument("--json", type=Path, help="write environment and rows to this file")
    parser.add_argument("--csv", type=Path, help="append the rows, with date, hardware and commit, to this file")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    about, rows = environment(args.threads), []
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for classes in args.classes:
        rows.append(measure(args, classes))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps({**about, "rows": rows}, indent=1))
    if args.csv:
        new = not args.csv.exists()
        with args.csv.open("a", newline="") as file:
            writer = csv.DictWriter(file, [*about, *rows[0]])
            if new:
                writer.writeheader()
            writer.writerows({**about, **row} for row in rows)


if __name__ == "__main__":
    main()
