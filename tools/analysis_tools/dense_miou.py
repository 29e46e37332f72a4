"""Zero-shot mIoU on a folder of pictures and label PNGs, with all names at once and with those of each picture only.

    python tools/analysis_tools/dense_miou.py configs/lite/pixeltext_lite_generic-448.py --images COCO/train2017 \
        --labels COCO/semantic --names names.json --list measured.txt

``names.json`` maps label numbers to names: ``{"1": "person", ...}``; other numbers are not scored. The list holds one
picture's stem a line; without it every label PNG counts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from mmengine.config import DictAction
from PIL import Image

from ovdense.apis import Segmenter
from ovdense.datasets.transforms import IMAGE_SUFFIXES


class Confusion:
    """Pixel counts (labelled, predicted) of K classes."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), np.int64)

    def add(self, labels: np.ndarray, predicted: np.ndarray) -> None:
        """Labels (H, W), below 0 where not scored, and predictions (H, W)."""
        scored = labels >= 0
        pairs = labels[scored] * len(self.counts) + predicted[scored]
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    def scores(self) -> dict[str, float]:
        """mIoU over the classes that occur in the labels, and pixel accuracy, in percent."""
        right, labelled = self.counts.diagonal(), self.counts.sum(1)
        iou = right / np.maximum(labelled + self.counts.sum(0) - right, 1)
        return dict(
            mIoU=round(100 * iou[labelled > 0].mean(), 2), aAcc=round(100 * right.sum() / max(labelled.sum(), 1), 2)
        )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of a segmentor, a path or a shipped name")
    parser.add_argument("checkpoint", nargs="?", help="weights, where the config does not bring them")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True, help="folder of label PNGs named as the pictures")
    parser.add_argument("--names", type=Path, required=True, help="json: label number -> name")
    parser.add_argument("--list", type=Path, help="text file: stems of the pictures that count")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="settings of the config to change")
    return parser.parse_args()


def find_picture(folder: Path, stem: str) -> Path:
    for suffix in IMAGE_SUFFIXES:
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    raise FileNotFoundError(f"no picture of the label map {stem}.png in {folder}")


def main() -> None:
    args = parse_args()
    numbered = {int(number): name for number, name in json.loads(args.names.read_text(encoding="utf8")).items()}
    names, index = list(numbered.values()), np.full(256, -1, np.int64)
    index[list(numbered)] = np.arange(len(names))
    stems = args.list.read_text().split() if args.list else sorted(path.stem for path in args.labels.glob("*.png"))
    segmenter = Segmenter.from_config(args.config, args.checkpoint, options=args.cfg_options)
    every, present = Confusion(len(names)), Confusion(len(names))
    for stem in stems:
        labels = index[np.asarray(Image.open(args.labels / f"{stem}.png"))]
        here = np.unique(labels[labels >= 0])
        segmenter.set_image(find_picture(args.images, stem))
        every.add(labels, segmenter.set_vocabulary(names).predict().labels.astype(np.int64))
        if len(here):
            present.add(labels, here[segmenter.set_vocabulary([names[i] for i in here]).predict().labels])
    print(json.dumps(dict(pictures=len(stems), all_names=every.scores(), names_present=present.scores()), indent=1))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
