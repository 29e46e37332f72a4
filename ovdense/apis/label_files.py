"""Detections as files of labelling tools, YOLO and Label Studio, and back.

Every file is written whole or not at all (``files.write_bytes``).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ovdense.apis.files import write_bytes, write_json
from ovdense.apis.results import DetectionResult

FORMATS = ("coco", "yolo", "label-studio")
FROM_NAME, TO_NAME = "label", "image"


def write_yolo(results: Sequence[DetectionResult], folder: str | Path, names: Sequence[str]) -> list[Path]:
    """``labels/NAME.txt`` of each picture, with ``class x y width height score`` a line, and ``classes.txt``.

    Centre and size are shares of the picture, as YOLO's tools take them; the score is their ``save_conf`` column.

    Args:
        results: one a picture.
        folder: where to write.
        names: file name of each picture, without ending.
    """
    folder = Path(folder)
    files = []
    for result, name in zip(results, names, strict=True):
        height, width = result.size
        lines = []
        for (x0, y0, x1, y1), label, score in zip(result.boxes.tolist(), result.labels, result.scores):
            shares = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height
            lines.append(f"{int(label)} {' '.join(f'{value:.6f}' for value in shares)} {float(score):.6f}\n")
        files.append(write_bytes(folder / "labels" / f"{name}.txt", "".join(lines).encode()))
    classes = results[0].classes if results else ()
    files.append(write_bytes(folder / "classes.txt", "".join(f"{name}\n" for name in classes).encode()))
    return files


def read_yolo(path: str | Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (N, 4) xyxy in pixels, labels (N,) and scores (N,) (1 where the file has none) of a picture (H, W).

    Raises:
        ValueError: a line of another form, with its number.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if len(parts) not in (5, 6):
            raise ValueError(f"{path}, line {number}: a line is class x y width height [score], got {line!r}")
        rows.append([float(part) for part in parts] + [1.0] * (6 - len(parts)))
    table = np.array(rows, np.float64).reshape(-1, 6)
    scale = np.array([size[1], size[0]], np.float64)
    centre, half = table[:, 1:3] * scale, table[:, 3:5] * scale / 2
    return np.concatenate([centre - half, centre + half], axis=1), table[:, 0].astype(int), table[:, 5]


def label_studio_tasks(results: Sequence[DetectionResult], urls: Sequence[str]) -> list[dict]:
    """Label Studio's tasks with predictions: rectangles in per cent of the picture.

    Args:
        urls: where Label Studio finds each picture, such as ``/data/local-files/?d=photos/a.jpg``.
    """
    tasks = []
    for result, url in zip(results, urls, strict=True):
        height, width = result.size
        scale = np.array([100 / width, 100 / height, 100 / width, 100 / height])
        rows = []
        for index, (box, label, score) in enumerate(zip(result.boxes * scale, result.labels, result.scores)):
            x0, y0, x1, y1 = (float(value) for value in box)
            rows.append(
                dict(
                    id=uuid.uuid5(uuid.NAMESPACE_URL, f"{url}#{index}").hex[:10],  # the same file each time
                    type="rectanglelabels",
                    from_name=FROM_NAME,
                    to_name=TO_NAME,
                    original_width=int(width),
                    original_height=int(height),
                    image_rotation=0,
                    score=float(score),
                    value=dict(
                        x=x0, y=y0, width=x1 - x0, height=y1 - y0, rotation=0, rectanglelabels=[result.classes[label]]
                    ),
                )
            )
        mean = float(np.mean(result.scores)) if len(result) else 0.0
        tasks.append(dict(data=dict(image=url), predictions=[dict(model_version="ovdense", score=mean, result=rows)]))
    return tasks


def write_label_studio(results: Sequence[DetectionResult], path: str | Path, urls: Sequence[str]) -> list[Path]:
    """The tasks as json, and beside it ``NAME.config.xml``, the labelling interface that fits them."""
    from xml.sax.saxutils import quoteattr

    path = Path(path)
    classes = results[0].classes if results else ()
    colors = results[0].palette if results else ()
    labels = "".join(
        f'    <Label value={quoteattr(name)} background="#{bytes(color).hex()}"/>\n'
        for name, color in zip(classes, colors)
    )
    config = (
        f'<View>\n  <Image name="{TO_NAME}" value="$image"/>\n  <RectangleLabels name="{FROM_NAME}" '
        f'toName="{TO_NAME}">\n{labels}  </RectangleLabels>\n</View>\n'
    )
    return [
        write_json(path, label_studio_tasks(results, urls)),
        write_bytes(path.with_suffix(".config.xml"), config.encode()),
    ]


def read_label_studio(path: str | Path, classes: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Boxes (N, 4) xyxy in pixels, labels (N,) and scores (N,) of every task.

    Raises:
        ValueError: a name that is none of the classes.
    """
    found = []
    for task in json.loads(Path(path).read_text(encoding="utf-8")):
        boxes, labels, scores = [], [], []
        for entry in task["predictions"][0]["result"] if task["predictions"] else ():
            value, name = entry["value"], entry["value"]["rectanglelabels"][0]
            if name not in classes:
                raise ValueError(f"{path} has the class {name!r}, which is none of {', '.join(list(classes)[:10])}")
            scale = np.array([entry["original_width"], entry["original_height"]]) / 100
            corner, extent = np.array([value["x"], value["y"]]), np.array([value["width"], value["height"]])
            boxes.append(np.concatenate([corner * scale, (corner + extent) * scale]))
            labels.append(list(classes).index(name))
            scores.append(entry.get("score", 1.0))
        found.append((np.array(boxes).reshape(-1, 4), np.array(labels, int), np.array(scores, float)))
    return found
