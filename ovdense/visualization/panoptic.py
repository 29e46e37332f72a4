"""Painting panoptic segments over a picture."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from ovdense.visualization.canvas import LegendEntry, add_legend, font_size, painting_scale, resize_picture
from ovdense.visualization.segmentation import class_shares, edges_of, format_share, widest_place
from ovdense.visualization.text import chip_size, draw_chip, shorten


def draw_panoptic(
    image: np.ndarray,
    ids: np.ndarray,
    segments: Sequence[dict],
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    alpha: float = 0.5,
    legend: bool = True,
    names: bool = True,
    max_side: int | None = None,
) -> np.ndarray:
    """The picture with every segment tinted, outlined and named; void stays as it is.

    Instances of one class are tinted in shades of its colour and numbered; the legend counts things and gives the
    shares of stuff.

    Args:
        image: (H, W, 3) BGR uint8.
        ids: (H, W) segment ids, 0 for void.
        segments: ``id``, ``label`` and ``isthing`` of each segment.
        classes: names, K of them.
        palette: K RGB triples.
        alpha: strength of the tint in [0, 1].
        legend: whether names are listed beside the picture.
        names: whether segments carry their name, where it fits.
        max_side: bound on the painting's longer side in pixels, without the legend.

    Returns:
        (h, w, 3) BGR uint8.
    """
    if ids.shape != image.shape[:2]:
        raise ValueError(f"the segment map must have the size of the picture {image.shape[:2]}, got {ids.shape}")
    places = np.zeros(int(max([ids.max(), *(one["id"] for one in segments)], default=0)) + 1, np.uint16)
    for place, one in enumerate(segments, start=1):
        places[one["id"]] = place
    full = places[ids]  # 0 for void, n for the n-th segment
    height, width = ids.shape
    scale = painting_scale(height, width, **({"max_side": max_side, "min_side": 1} if max_side else {}))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(full, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int32)
    picture = np.ascontiguousarray(resize_picture(image, size[::-1])[..., ::-1])
    colours = np.concatenate([np.zeros((1, 3), np.uint8), segment_colours(segments, palette)])
    blend = cv2.addWeighted(picture, 1 - alpha, colours[small], alpha, 0)
    painted = np.where(small[..., None] > 0, blend, picture)
    edges = edges_of(small, width=max(1, round(max(size) / 700)))
    painted[edges] = np.rint(0.25 * painted[edges] + 0.75 * 255)
    if names:
        painted = _name_segments(painted, small, segments, classes, colours)
    if legend:
        shares = class_shares(full, len(segments) + 1)
        painted = add_legend(painted, _entries(segments, shares, classes, palette), _void(shares[0]))
    return np.ascontiguousarray(painted[..., ::-1])


def segment_colours(segments: Sequence[dict], palette: Sequence[Sequence[int]]) -> np.ndarray:
    """(N, 3) RGB uint8: the class's colour, in another shade for each further instance of it."""
    counts: dict[int, int] = {}
    colours = np.zeros((len(segments), 3), np.uint8)
    for index, one in enumerate(segments):
        number = counts.get(one["label"], 0)
        counts[one["label"]] = number + 1
        hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in palette[one["label"]]))
        hue = (hue + 0.045 * ((number + 1) // 2) * (-1) ** number) % 1
        value = min(1.0, max(0.35, value - 0.12 * (number % 3)))
        colours[index] = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value)]
    return colours


def _name_segments(painted, small, segments, classes, colours) -> np.ndarray:
    size = font_size(*small.shape)
    sheet = Image.fromarray(painted)
    numbers = _instance_numbers(segments)
    for place, one in enumerate(segments, start=1):
        text = shorten(classes[one["label"]], size, 14 * size)
        text = f"{text} {numbers[place - 1]}" if numbers[place - 1] else text
        width, height = chip_size(text, size)
        centre, radius = widest_place((small == place).astype(np.uint8))
        if radius < 0.6 * height or 2.4 * radius < 0.5 * width:
            continue
        x = int(np.clip(centre[0] - width / 2, 0, max(small.shape[1] - width, 0)))
        y = int(np.clip(centre[1] - height / 2, 0, max(small.shape[0] - height, 0)))
        draw_chip(sheet, (x, y, x + width, y + height), text, size, tuple(int(value) for value in colours[place]))
    return np.asarray(sheet)


def _instance_numbers(segments: Sequence[dict]) -> list[int]:
    """1, 2, ... for instances of a class that occurs more than once, else 0."""
    labels = [one["label"] if one["isthing"] else None for one in segments]
    return [
        0 if label is None or labels.count(label) < 2 else labels[: index + 1].count(label)
        for index, label in enumerate(labels)
    ]


def _entries(segments, shares, classes, palette) -> list[LegendEntry]:
    """Things by number, then stuff by share."""
    things: dict[int, int] = {}
    stuff: dict[int, float] = {}
    for place, one in enumerate(segments, start=1):
        if one["isthing"]:
            things[one["label"]] = things.get(one["label"], 0) + 1
        else:
            stuff[one["label"]] = stuff.get(one["label"], 0.0) + shares[place]
    rows = [(label, str(count)) for label, count in sorted(things.items(), key=lambda item: -item[1])]
    rows += [(label, format_share(share)) for label, share in sorted(stuff.items(), key=lambda item: -item[1])]
    return [LegendEntry(classes[label], tuple(int(v) for v in palette[label]), words) for label, words in rows]


def _void(share: float) -> str:
    return f"no segment: {format_share(share)}" if share > 0 else ""
