"""PAMR: labels from ``ovdense.functional.pamr`` against the official way of working, on the same masks and image.

The official way, written out below: all classes at once, a tensor over classes, neighbours and pixels in each
iteration, which a convolution with one-hot kernels fills for each dilation. Both run in this process in turn, so that
their ratio holds when the machine's speed drifts; times are CPU seconds of the fastest run.

Shapes: S classes, N neighbours, grid h x w, image H x W.

    python benchmarks/pamr.py --json result.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from reporting import Report, add_output_options, own_peak, peak_of, timed
from torch import Tensor

from ovdense.functional.pamr import pamr, pamr_chunks

PATCH = 16


def make_input(classes: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """An image (1, 3, H, W) of coloured regions with noise, and smooth scores (1, S, h, w) on its patch grid."""
    generator = torch.Generator().manual_seed(classes)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    regions = F.interpolate(noise(1, 6, 9, 12), size=size, mode="bicubic").argmax(1)
    image = noise(6, 3)[regions].movedim(-1, 1) + 0.1 * noise(1, 3, *size)
    grid = (size[0] // PATCH, size[1] // PATCH)
    return image, F.interpolate(noise(1, classes, 7, 10), size=grid, mode="bicubic") + 0.2 * noise(1, classes, *grid)


def one_hot_kernels(centre: bool) -> Tensor:
    """(9, 1, 3, 3) kernels that each pick one of nine neighbours; without the centre eight."""
    kernels = torch.eye(9).view(9, 1, 3, 3)
    return kernels if centre else kernels[[0, 1, 2, 3, 5, 6, 7, 8]]


def neighbours(x: Tensor, dilations: Sequence[int], centre: bool = False) -> Tensor:
    """(B, S, H, W) -> (B, S, N, H, W)."""
    batch, channels, height, width = x.shape
    x, parts = x.reshape(batch * channels, 1, height, width), []
    for dilation in dilations:
        padded = F.pad(x, [dilation] * 4, mode="replicate")
        part = F.conv2d(padded, one_hot_kernels(centre), dilation=dilation)
        parts.append(part.view(batch, channels, -1, height, width))
    return torch.cat(parts, dim=2)


def official_maps(image: Tensor, masks: Tensor, num_iter: int, dilations: Sequence[int]) -> Tensor:
    """Refined maps (1, S, H, W) the official way."""
    masks = F.interpolate(masks, size=image.shape[-2:], mode="bilinear", align_corners=True)
    deviation = neighbours(image, dilations, centre=True).std(2, keepdim=True)
    affinity = -(neighbours(image, dilations) - image.unsqueeze(2)).abs() / (1e-8 + 0.1 * deviation)
    affinity = affinity.mean(1, keepdim=True).softmax(2)
    for _ in range(num_iter):
        masks = (neighbours(masks, dilations) * affinity).sum(2)
    return masks


def official(image: Tensor, masks: Tensor, num_iter: int, dilations: Sequence[int]) -> Tensor:
    """Labels (H, W) the official way."""
    return official_maps(image, masks, num_iter, dilations)[0].argmax(0)


def ours(image: Tensor, masks: Tensor, num_iter: int, dilations: Sequence[int]) -> Tensor:
    """Labels (H, W), some classes at a time."""
    best = labels = None
    for start, maps in pamr_chunks(image, masks, num_iter, dilations):
        top, winner = maps[0].max(0)
        winner += start
        if best is None:
            best, labels = top, winner
        else:
            better = top > best
            best, labels = torch.where(better, top, best), torch.where(better, winner, labels)
    return labels


def label_gap(image: Tensor, masks: Tensor, settings: tuple, labels: Tensor, expected: Tensor) -> float:
    """Largest difference, in our maps, between the scores of two labels of a pixel; 0 where all labels agree."""
    y, x = (labels != expected).nonzero(as_tuple=True)
    if not len(y):
        return 0.0
    classes = torch.cat([labels[y, x], expected[y, x]]).unique()
    maps = pamr(image, masks[:, classes], *settings)[0, :, y, x]
    places = [torch.searchsorted(classes, chosen[y, x]) for chosen in (labels, expected)]
    first, second = (maps.gather(0, place[None]) for place in places)
    return float((first - second).abs().max())


def measure(classes: int, size: tuple[int, int], args: argparse.Namespace) -> dict:
    """One row of the result."""
    image, masks = make_input(classes, size)
    settings = (args.iterations, tuple(args.dilations))
    our_times, official_times = [], []
    for run in range(args.runs):
        seconds, labels = timed(ours, image, masks, *settings)
        our_times.append(seconds)
        if run < args.official_runs:
            seconds, expected = timed(official, image, masks, *settings)
            official_times.append(seconds)
    row = {
        "classes": classes,
        "image": "x".join(map(str, size)),
        "iterations": args.iterations,
        "dilations": "-".join(map(str, args.dilations)),
        "official_s": round(min(official_times), 3),
        "ours_s": round(min(our_times), 3),
        "ratio": round(min(official_times) / min(our_times), 1),
        "differing": int((labels != expected).sum()),
        "largest_gap": label_gap(image, masks, settings, labels, expected),
    }
    if not args.no_memory:
        # One iteration has the peak of all.
        options = (classes, *size, "--iterations", 1, "--dilations", *args.dilations, "--threads", args.threads)
        for way in ("official", "ours"):
            row[f"{way}_peak_mb"] = peak_of(__file__, "--peak", way, *options)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", nargs="+", type=int, default=[30, 150])
    parser.add_argument("--size", nargs=2, type=int, default=[512, 683], metavar=("H", "W"))
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--dilations", nargs="+", type=int, default=[8, 16])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3, help="runs of ours; the fastest counts")
    parser.add_argument("--official-runs", type=int, default=1, help="runs of the official way, among those")
    parser.add_argument("--quick", action="store_true", help="a small image and few iterations, for tests")
    parser.add_argument("--no-memory", action="store_true", help="do not start processes to measure memory")
    parser.add_argument("--peak", nargs=4, help=argparse.SUPPRESS)
    add_output_options(parser)
    args = parser.parse_args()
    if min(args.runs, args.official_runs) < 1:
        parser.error(f"--runs and --official-runs must be at least 1, got {args.runs} and {args.official_runs}")
    torch.set_num_threads(args.threads)
    if args.peak:
        way, classes, height, width = args.peak
        image, masks = make_input(int(classes), (int(height), int(width)))
        {"ours": ours, "official": official}[way](image, masks, args.iterations, tuple(args.dilations))
        print(own_peak())
        return
    if args.quick:
        args.size, args.iterations = [96, 130], 3
    report = Report(args)
    for classes in args.classes:
        report.add(measure(classes, tuple(args.size), args))


if __name__ == "__main__":
    main()
