"""RegionCLIP's RoI tail: RoIAlign, layer4, attention pool, classifier and box regression, official order against ours.

The official order, written out below: RoIAlign, layer4 with separate norms, every token a query of the attention pool,
then classes and boxes of all regions. Both run in this process in turn on the same random RN50 weights and map, so that
their ratio holds when the machine's speed drifts; times are CPU seconds of the fastest run. RoIAlign is mmcv's, which
ovdense emulates where mmcv has no compiled operators: its seconds are given apart.

Shapes: R regions, K classes.

    python benchmarks/regionclip_tail.py --regions 300 --json result.json
"""

from __future__ import annotations

import argparse
import warnings

import torch
import torch.nn.functional as F
from reporting import Report, add_output_options, timed
from torch import Tensor, nn

import ovdense  # noqa: F401  (first: it repairs missing binaries)

from mmcv.ops import roi_align  # isort: skip
from ovdense.models.backbones import CLIPResNetTail  # isort: skip
from ovdense.models.roi_heads import TextBBoxHead  # isort: skip
from ovdense.structures import ClassEmbeddings, Vocabulary  # isort: skip

STRIDE = 16
NAMES = 10_000


def build(quick: bool) -> tuple[CLIPResNetTail, TextBBoxHead]:
    """Tail and head of RN50's size with random weights."""
    model = "RN50"
    if quick:
        model = dict(
            embed_dim=64,
            vision_cfg=dict(image_size=64, layers=[1, 1, 1, 2], width=8, head_width=64, patch_size=None),
            text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tail = CLIPResNetTail(model=model)
    generator = torch.Generator().manual_seed(0)
    for norm in tail.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.data.uniform_(0.5, 1.5, generator=generator)
            norm.bias.data.normal_(0, 0.1, generator=generator)
            norm.running_mean.normal_(0, 0.1, generator=generator)
    scope = dict(type="mmdet.Linear")
    head = TextBBoxHead(
        in_channels=tail.out_channels,
        reg_predictor_cfg=scope,
        loss_cls=dict(type="ovdense.RegionCrossEntropy"),
        loss_bbox=dict(type="mmdet.L1Loss"),
        bbox_coder=dict(type="mmdet.DeltaXYWHBBoxCoder", target_stds=[0.1, 0.1, 0.2, 0.2]),
    )
    return tail.eval(), head.eval()


def make_input(regions: int, classes: int, channels: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """A map (1,D,h,w) as layer3 leaves it, rois (R,5) of many sizes, class rows."""
    generator = torch.Generator().manual_seed(regions)
    grid = (size[0] // STRIDE, size[1] // STRIDE)
    features = torch.randn(1, channels, *grid, generator=generator).relu()
    corner = torch.rand(regions, 2, generator=generator) * torch.tensor([size[1], size[0]]) * 0.7
    side = 24 + torch.rand(regions, 2, generator=generator) ** 2 * 0.6 * min(size)
    rois = torch.cat([torch.zeros(regions, 1), corner, corner + side], 1)
    return features, rois, rows_of(classes)


def rows_of(classes: int, width: int = 1024) -> Tensor:
    return F.normalize(torch.randn(classes, width, generator=torch.Generator().manual_seed(classes)), dim=1)


def vocabulary_of(rows: Tensor) -> ClassEmbeddings:
    names = Vocabulary.parse([f"name {index}" for index in range(len(rows))])
    return ClassEmbeddings(rows, torch.arange(len(rows)), names, "")


def full_pool(maps: Tensor, pool: nn.Module) -> Tensor:
    """CLIP's attention pool as published: every token asks, the first answer is kept."""
    return pool(maps)


def official(tail, head, features, rois, rows, seconds) -> tuple[Tensor, Tensor]:
    """Probabilities (R,K+1) and deltas (R,4)."""
    seconds["roi_align"], x = timed(roi_align, features, rois, tail.output_size, 1 / STRIDE, 0, "avg", True)
    seconds["layer4"], x = timed(tail.layer4, x)
    seconds["attnpool"], x = timed(full_pool, x, tail.attnpool)

    def predict():
        logits = F.normalize(x, dim=1) @ F.normalize(rows, dim=1).T / 0.01
        return torch.cat([logits, logits.new_zeros(len(x), 1)], 1).softmax(1), head.fc_reg(x)

    seconds["head"], found = timed(predict)
    return found


def ours(tail, head, features, rois, seconds) -> tuple[Tensor, Tensor]:
    """Probabilities (R,K+1), and deltas of the regions above the threshold."""
    seconds["layer4"], x = timed(tail.region_maps, features, rois)
    seconds["attnpool"], x = timed(tail.embed_maps, x)

    def predict():
        scores = head.classifier(x).softmax(1)
        alive = (scores[:, :-1] > 0.001).any(1)
        return scores, head.fc_reg(x[alive])

    seconds["head"], found = timed(predict)
    return found


@torch.no_grad()
def measure(regions: int, args: argparse.Namespace, tail, head) -> dict:
    """One row of the result."""
    channels = tail.layer4[0].conv1.in_channels
    features, rois, _ = make_input(regions, args.classes, channels, tuple(args.size))
    rows = rows_of(args.classes, tail.out_channels)
    head.set_class_embeddings(vocabulary_of(rows))
    best = {}
    for run in range(args.runs):
        theirs, own = {}, {}
        found = ours(tail, head, features, rois, own)
        if run < args.official_runs:
            expected = official(tail, head, features, rois, rows, theirs)
        for name, parts in (("official", theirs), ("ours", own)):
            if parts and sum(parts.values()) < sum(best.get(name, {"none": torch.inf}).values()):
                best[name] = parts
    totals = {name: sum(parts.values()) for name, parts in best.items()}
    new = rows_of(NAMES, tail.out_channels)
    vocabulary = vocabulary_of(new)
    change, _ = timed(head.set_class_embeddings, vocabulary)
    embedding = torch.randn(regions, tail.out_channels)
    product, _ = timed(head.classifier, embedding)
    return {
        "regions": regions,
        "classes": args.classes,
        "image": "x".join(map(str, args.size)),
        "official_s": round(totals["official"], 3),
        "ours_s": round(totals["ours"], 3),
        "tail_ratio": round(totals["official"] / totals["ours"], 2),
        "ratio_without_roi_align": round((totals["official"] - best["official"]["roi_align"]) / totals["ours"], 2),
        "attnpool_ratio": round(best["official"]["attnpool"] / best["ours"]["attnpool"], 1),
        **{f"official_{name}_s": round(value, 3) for name, value in best["official"].items()},
        **{f"ours_{name}_s": round(value, 3) for name, value in best["ours"].items()},
        "largest_score_gap": float((found[0] - expected[0]).abs().max()),
        "vocabulary_10k_ms": round(1000 * change, 2),
        "classify_10k_ms": round(1000 * product, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", nargs="+", type=int, default=[300])
    parser.add_argument("--classes", type=int, default=65)
    parser.add_argument("--size", nargs=2, type=int, default=[800, 1216], metavar=("H", "W"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=2, help="runs of ours; the fastest counts")
    parser.add_argument("--official-runs", type=int, default=1, help="runs of the official order, among those")
    parser.add_argument("--quick", action="store_true", help="a small model and picture, for tests")
    add_output_options(parser)
    args = parser.parse_args()
    if min(args.runs, args.official_runs) < 1:
        parser.error(f"--runs and --official-runs must be at least 1, got {args.runs} and {args.official_runs}")
    torch.set_num_threads(args.threads)
    if args.quick:
        args.size = [160, 240]
    tail, head = build(args.quick)
    report = Report(args)
    for regions in args.regions:
        report.add(measure(regions, args, tail, head))


if __name__ == "__main__":
    main()
