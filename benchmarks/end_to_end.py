"""An image to its label map: the official way of working against ``OpenVocabSegmentor``, on the same weights.

The official way, as the training-free repositories share it: windows one after the other, each with all K class maps
upsampled to its crop, added into a K x H x W canvas, divided by the count, resized to the original size, scaled,
softmax, argmax. It is written out below. Both run in this process on one random ViT-B/16 and random class rows, so
that their ratio holds when the machine's speed drifts; times are CPU seconds of the fastest run.

    python benchmarks/end_to_end.py --json result.json
"""

from __future__ import annotations

import argparse
import time
import warnings

import torch
import torch.nn.functional as F
from reporting import Report, add_output_options, own_peak, peak_of, timed
from torch import Tensor, nn

import ovdense  # noqa: F401  (stand-ins for missing binaries, before anything imports them)
from ovdense.functional.windows import window_positions
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


def _crop_and_stride(model: OpenVocabSegmentor, image: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    crop = tuple(min(side, limit) for side, limit in zip(image.shape[-2:], model.test_cfg.crop_size))
    return crop, model.test_cfg.stride


def official(model: OpenVocabSegmentor, image: Tensor, size: tuple[int, int]) -> Tensor:
    """Labels (H,W) the official way, with the backbone's layers as PyTorch runs them."""
    with torch.backends.mkldnn.flags(enabled=False):
        return official_labels(model, image, size)


@torch.no_grad()
def official_labels(model: OpenVocabSegmentor, image: Tensor, size: tuple[int, int]) -> Tensor:
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


def matmul_rate(runs: int = 3, side: int = 1024) -> float:
    """GFLOP/s of float32 ``a @ b`` of two square matrices, the fastest of some."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    return 2e-9 * side**3 / min(timed(torch.mm, a, b)[0] for _ in range(runs))


def backbone_gflop(tokens: int, layers: int = 12, width: int = 768, out: int = 512) -> float:
    """Multiplications and additions of one window through a ViT-B/16 whose last block has no MLP (NACLIP)."""
    block, attention = 2 * tokens * width * 4 * width, 4 * tokens * tokens * width
    mlp = 2 * tokens * width * 8 * width
    patches = 2 * (tokens - 1) * width * (3 * 16 * 16 + out)
    return 1e-9 * (layers * (block + attention) + (layers - 1) * mlp + patches)


def make_image(args: argparse.Namespace) -> tuple[Tensor, tuple[int, int]]:
    """A normalised image and the size of its labels."""
    torch.manual_seed(1)
    return (torch.randn(1, 3, 96, 150), (100, 160)) if args.quick else (torch.randn(1, 3, 448, 597), (512, 683))


def measure(args: argparse.Namespace, classes: int) -> dict:
    """One row of the result."""
    model = build(args, classes, 64 if args.quick else 512)
    (image, size), clock = make_image(args), BackboneClock(model.backbone)
    times, results, rates = {"ours": [], "official": []}, {}, []
    for _ in range(1 if args.quick else args.runs):  # in turn, since the machine's speed drifts
        rates.append(matmul_rate())
        for name, way in (("ours", ours), ("official", official)):
            clock.reset()
            seconds, results[name] = timed(way, model, image, size)
            times[name].append((seconds, seconds - clock.seconds, clock.seconds))
    our_time, our_rest, backbone_time = (min(column) for column in zip(*times["ours"]))
    official_time, official_rest, _ = (min(column) for column in zip(*times["official"]))
    labels, expected = results["ours"], results["official"]
    windows = tuple(len(window_positions(*axis)) for axis in zip(image.shape[-2:], *_crop_and_stride(model, image)))
    peaks = {}
    if not args.no_memory:
        options = [classes, "--threads", args.threads, "--crop", args.crop, "--stride", args.stride]
        options += ["--quick"] if args.quick else []
        for way in ("official", "ours"):
            peaks[f"{way}_peak_mb"] = peak_of(__file__, "--peak", way, *options)
    if not args.quick:
        tokens = 1 + (args.crop // 16) ** 2
        peaks["matmul_gflops"] = round(max(rates), 1)
        peaks["backbone_gflops"] = round(windows[0] * windows[1] * backbone_gflop(tokens) / backbone_time, 1)
    return {
        "classes": classes,
        "input": "x".join(map(str, image.shape[-2:])),
        "output": "x".join(map(str, size)),
        "windows": "x".join(map(str, windows)),
        "official_s": round(official_time, 3),
        "ours_s": round(our_time, 3),
        "ratio": round(official_time / our_time, 2),
        "official_without_backbone_s": round(official_rest, 3),
        "ours_without_backbone_s": round(our_rest, 3),
        "ratio_without_backbone": round(official_rest / our_rest, 1),
        "identical_labels": int((labels == expected).sum()),
        "pixels": labels.numel(),
        **peaks,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", nargs="+", type=int, default=[150, 847])
    parser.add_argument("--crop", type=int, default=448)
    parser.add_argument("--stride", type=int, default=224)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=2, help="runs of each; the fastest counts")
    parser.add_argument("--quick", action="store_true", help="a tiny model and image, for tests")
    parser.add_argument("--no-memory", action="store_true", help="do not start processes to measure memory")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    add_output_options(parser)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.peak:
        way, classes = args.peak
        model = build(args, int(classes), 64 if args.quick else 512)
        {"ours": ours, "official": official}[way](model, *make_image(args))
        print(own_peak())
        return
    report = Report(args)
    for classes in args.classes:
        report.add(measure(args, classes))


if __name__ == "__main__":
    main()
