"""A page of the pictures with the lowest scores: picture, truth, prediction, errors. One file, nothing else needed.

    python tools/test.py CONFIG CHECKPOINT --out labels
    python tools/analysis_tools/worst_images.py CONFIG labels worst.html [--number 20] [--class-name cat]

The score of a picture is its mIoU over the classes that occur in truth or prediction; with --class-name the IoU of that
class. Pixels that are not scored are black in the truth and left out of the errors.
"""

from __future__ import annotations

import argparse
import base64
import heapq
import html
import io
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from PIL import Image
from rich.console import Console
from rich.progress import track

import ovdense  # noqa: F401  (first: it repairs what installed binaries lack)
from ovdense.apis.stored_predictions import StoredPrediction, StoredPredictions
from ovdense.evaluation.confusion import ConfusionMatrix
from ovdense.structures.palette import distinct_colors

STYLE = """body{font:15px/1.4 system-ui,sans-serif;margin:24px;background:#fafafa;color:#222}
article{background:#fff;border:1px solid #ddd;border-radius:6px;padding:12px 16px;margin:16px 0}
.row{display:flex;flex-wrap:wrap;gap:12px}figure{margin:0;flex:1 1 220px;max-width:420px}
img{width:100%;display:block;image-rendering:auto;border-radius:3px}figcaption{color:#555;font-size:13px}
.key span{display:inline-block;margin:2px 10px 2px 0;font-size:13px}
.key i{display:inline-block;width:12px;height:12px;border:1px solid #888;margin-right:4px;vertical-align:-1px}"""


def score_of(one: ConfusionMatrix, index: int | None) -> float:
    """mIoU of a picture, or the IoU of a class; NaN where nothing of it is there."""
    if index is not None:
        return float(one.iou[index])
    return float(np.nanmean(one.iou)) if np.isfinite(one.iou).any() else float("nan")


def worst(stored, empty: ConfusionMatrix, number: int, index: int | None) -> tuple[list, ConfusionMatrix, int]:
    """The lowest scores with their pictures, the counts of all, and how many pictures were scored."""
    total, kept, scored = empty, [], 0
    for place, one in enumerate(stored):
        counts = total.add(one.truth, one.predicted)
        score = score_of(counts, index)
        if np.isnan(score):
            continue
        scored += 1
        item = (-score, place, one, counts)
        (heapq.heappush if len(kept) < number else heapq.heappushpop)(kept, item)
    return sorted(kept, key=lambda item: (-item[0], item[1])), total, scored


def embed(picture: np.ndarray, side: int) -> str:
    """An RGB picture as the source of an <img>, its long side at most ``side``; labels keep their hard edges."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def coloured(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB; labels that are no class are black."""
    known = (labels >= 0) & (labels < len(palette))
    return np.where(known[..., None], palette[np.where(known, labels, 0)], 0).astype(np.uint8)


def article(one: StoredPrediction, counts: ConfusionMatrix, score: float, palette: np.ndarray, side: int) -> str:
    wrong = (one.truth != one.predicted) & (one.truth != counts.ignore_index)
    errors = np.where(wrong[..., None], np.uint8([220, 40, 40]), one.picture[..., ::-1] // 3 + 150).astype(np.uint8)
    views = {
        "picture": np.ascontiguousarray(one.picture[..., ::-1]),
        "truth": coloured(one.truth.astype(np.int64), palette),
        "prediction": coloured(one.predicted, palette),
        f"errors ({100 * wrong.mean():.1f} % of the pixels)": errors,
    }
    figures = "".join(
        f'<figure><img alt="{text}" src="{embed(view, side)}"><figcaption>{text}</figcaption></figure>'
        for text, view in views.items()
    )
    here = np.unique(np.concatenate([one.truth[one.truth != counts.ignore_index].ravel(), one.predicted.ravel()]))
    key = "".join(
        f'<span><i style="background:rgb({",".join(map(str, palette[label]))})"></i>'
        f"{html.escape(counts.classes[label])} {counts.iou[label]:.0f}</span>"
        for label in here.astype(int)
        if 0 <= label < len(palette)
    )
    title = f"<h3>{html.escape(one.name)}: {score:.2f}</h3>"
    return f'<article>{title}<div class="row">{figures}</div><p class="key">{key}</p></article>'


def page(config: str, items: list, total: ConfusionMatrix, scored: int, what: str, palette, side: int) -> str:
    scores = total.summary()
    head = (
        f"<h1>Worst pictures of {html.escape(Path(config).stem)}</h1><p>{len(items)} of {scored} pictures by {what}, "
        f"lowest first. Over all: mIoU {scores['mIoU']}, aAcc {scores['aAcc']}. Beside names: the IoU of the "
        "class in that picture.</p>"
    )
    body = "".join(article(one, counts, -negative, palette, side) for negative, _, one, counts in items)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Worst pictures</title>'
        f"<style>{STYLE}</style></head><body>{head}{body}</body></html>\n"
    )


def main(argv=None) -> list[tuple[str, float]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="the config that the maps were made with")
    parser.add_argument("labels", help="folder that tools/test.py --out wrote")
    parser.add_argument("out", type=Path, help="the page, a .html file")
    parser.add_argument("--number", type=int, default=20, help="pictures on the page (default: %(default)s)")
    parser.add_argument("--class-name", help="score by this class")
    parser.add_argument("--side", type=int, default=480, help="long side of the pictures (default: %(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="settings of the config to change")
    args = parser.parse_args(argv)
    stored = StoredPredictions(args.config, args.labels, args.cfg_options)
    if args.number < 1:
        raise SystemExit(f"error: --number is 1 or more, got {args.number}")
    if args.class_name and args.class_name not in stored.classes:
        raise SystemExit(f"error: no class {args.class_name!r}; there are {', '.join(stored.classes[:20])}, ...")
    index = stored.classes.index(args.class_name) if args.class_name else None
    bar = track(stored, "pictures", total=len(stored), console=Console(stderr=True), transient=True)
    empty = ConfusionMatrix(stored.classes, ignore_index=stored.ignore_index)
    items, total, scored = worst(bar, empty, args.number, index)
    palette = np.asarray(stored.palette or distinct_colors(len(stored.classes)), np.uint8)
    what = f"the IoU of {args.class_name}" if args.class_name else "mIoU"
    text = page(args.config, items, total, scored, what, palette, args.side)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(text, encoding="utf-8")
    print(f"wrote {args.out}: {len(items)} of {scored} pictures, {len(text) / 1e6:.1f} MB")
    return [(one.name, -negative) for negative, _, one, _ in items]


if __name__ == "__main__":
    main()
