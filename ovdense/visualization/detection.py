"""Painting boxes, masks, names and scores over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ovdense.visualization.canvas import LegendEntry, add_legend, font_size, painting_scale, resize_picture
from ovdense.visualization.text import chip_size, draw_chip, shorten


def draw_detections(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    scores: np.ndarray | None = None,
    masks: np.ndarray | None = None,
    notes: Sequence[str] | None = None,
    alpha: float = 0.45,
    legend: bool = True,
    max_side: int | None = None,
) -> np.ndarray:
    """The picture with boxes, label chips and, if given, masks; the legend counts the objects.

    Args:
        image: (H, W, 3) BGR uint8.
        boxes: (N, 4) xyxy in pixels of the picture.
        labels: (N,) class numbers.
        classes: names, K of them.
        palette: K RGB triples.
        scores: (N,) in [0, 1], written into the chips.
        masks: (N, H, W) bool.
        notes: N words that follow the names in the chips, such as track numbers.
        alpha: strength of the masks' tint in [0, 1].
        legend: whether names and counts are listed beside the picture.
        max_side: bound on the painting's longer side in pixels, without the legend.

    Returns:
        (h, w, 3) BGR uint8.
    """
    height, width = image.shape[:2]
    scale = painting_scale(height, width, **({"max_side": max_side, "min_side": 1} if max_side else {}))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    picture = np.ascontiguousarray(resize_picture(image, size)[..., ::-1])
    colours = np.asarray(palette, np.uint8).reshape(-1, 3)
    boxes = _scaled(boxes, size[1] / width, size[0] / height)
    labels = np.asarray(labels, int)
    # Largest first, so that small objects and their chips end up on top.
    order = np.argsort(-(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), kind="stable")
    if masks is not None:
        for index in order:
            _tint_mask(picture, masks[index], colours[labels[index]], alpha)
    sheet = Image.fromarray(picture)
    _draw_boxes(sheet, boxes[order], colours[labels[order]])
    _draw_chips(sheet, boxes[order], _chip_words(labels, classes, notes, scores)[order], colours[labels[order]])
    painted = np.asarray(sheet)
    if legend:
        painted = add_legend(painted, _entries(labels, classes, colours), "" if len(labels) else "nothing found")
    return np.ascontiguousarray(painted[..., ::-1])


def _scaled(boxes: np.ndarray, x_scale: float, y_scale: float) -> np.ndarray:
    return np.asarray(boxes, np.float64).reshape(-1, 4) * [x_scale, y_scale, x_scale, y_scale]


def _tint_mask(picture: np.ndarray, mask: np.ndarray, colour: np.ndarray, alpha: float) -> None:
    """Tints (H, W, 3) RGB in place where the mask is set, and outlines it."""
    small = np.ascontiguousarray(mask, dtype=np.uint8)
    if small.shape != picture.shape[:2]:
        small = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    inside = small > 0
    picture[inside] = np.rint((1 - alpha) * picture[inside] + alpha * colour)
    contours, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(small.shape) / 600))
    cv2.drawContours(picture, contours, -1, [int(value) for value in colour], width, cv2.LINE_AA)


def _draw_boxes(sheet: Image.Image, boxes: np.ndarray, colours: np.ndarray) -> None:
    draw = ImageDraw.Draw(sheet)
    width = max(2, round(max(sheet.size) / 350))
    for box, colour in zip(boxes, colours):
        x0, y0, x1, y1 = _inside(box, sheet.size)
        draw.rectangle((x0, y0, x1, y1), outline=tuple(int(value) for value in colour), width=width)


def _inside(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels within the sheet, left <= right and top <= bottom whatever came."""
    xs = np.clip(np.sort(np.nan_to_num(box[[0, 2]])), 0, size[0] - 1).round().astype(int)
    ys = np.clip(np.sort(np.nan_to_num(box[[1, 3]])), 0, size[1] - 1).round().astype(int)
    return int(xs[0]), int(ys[0]), int(xs[1]), int(ys[1])


def _chip_words(labels: np.ndarray, classes: Sequence[str], notes, scores) -> np.ndarray:
    """(N, 2): the name of each box, which may be shortened, and what follows it."""
    words = np.empty((len(labels), 2), object)
    for index, label in enumerate(labels):
        note = "" if notes is None else f" {notes[index]}"
        words[index] = classes[label], note if scores is None else f"{note} {scores[index]:.2f}"
    return words


def _draw_chips(sheet: Image.Image, boxes: np.ndarray, words: np.ndarray, colours: np.ndarray) -> None:
    size = font_size(sheet.height, sheet.width)
    taken: list[tuple[int, int, int, int]] = []
    for box, (name, rest), colour in zip(boxes, words, colours):
        text = shorten(name, size, 16 * size) + rest
        chip = _free_place(_inside(box, sheet.size), chip_size(text, size), sheet.size, taken)
        taken.append(chip)
        draw_chip(sheet, chip, text, size, tuple(int(value) for value in colour))


def _free_place(box, chip, sheet_size, taken) -> tuple[int, int, int, int]:
    """Where a chip (w, h) of a box goes: above it, inside its top, below it, or else where it hides least."""
    x0, y0, x1, y1 = box
    width, height = chip
    right = max(sheet_size[0] - width, 0)
    places = []
    for x in (x0, x1 - width):
        for y in (y0 - height, y0, y1 - height, y1):
            left, top = min(max(x, 0), right), min(max(y, 0), max(sheet_size[1] - height, 0))
            places.append((left, top, left + width, top + height))
    return min(places, key=lambda place: sum(_overlap(place, other) for other in taken))


def _overlap(one, other) -> int:
    """Pixels that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def _entries(labels: np.ndarray, classes: Sequence[str], colours: np.ndarray) -> list[LegendEntry]:
    counts = np.bincount(np.asarray(labels, int), minlength=len(classes))
    order = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    return [LegendEntry(classes[i], tuple(int(v) for v in colours[i]), str(counts[i])) for i in order]
