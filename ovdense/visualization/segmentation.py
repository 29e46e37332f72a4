"""Painting label maps over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from ovdense.visualization.canvas import LegendEntry, add_legend, font_size, painting_scale, resize_picture
from ovdense.visualization.text import chip_size, draw_chip, shorten


def draw_segmentation(
    image: np.ndarray,
    labels: np.ndarray,
    *,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    alpha: float = 0.5,
    legend: bool = True,
    names: bool = True,
    background_index: int | None = None,
    max_side: int | None = None,
) -> np.ndarray:
    """The picture with every class tinted, its regions outlined and named, and a legend with area shares.

    Small pictures are enlarged and very large ones reduced, so that the words can be read.

    Args:
        image: (H, W, 3) BGR uint8.
        labels: (H, W) class numbers; numbers that are not a class (such as 255) stay unpainted.
        classes: names, K of them.
        palette: K RGB triples.
        alpha: strength of the tint in [0, 1].
        legend: whether names with their shares are listed beside the picture.
        names: whether large regions carry their name.
        background_index: class that stays unpainted.
        max_side: bound on the painting's longer side in pixels, without the legend.

    Returns:
        (h, w, 3) BGR uint8.
    """
    if labels.shape != image.shape[:2]:
        raise ValueError(f"labels must have the size of the picture {image.shape[:2]}, got {labels.shape}")
    shares = class_shares(labels, len(classes))
    small_labels, picture = _at_painting_size(image, labels, max_side)
    colours = np.asarray(palette, np.uint8).reshape(-1, 3)
    painted = _tint(picture, small_labels, colours, alpha, background_index)
    if names:
        painted = _name_regions(painted, small_labels, classes, colours, background_index)
    if legend:
        painted = add_legend(painted, _entries(shares, classes, colours), _absent(shares, classes))
    return np.ascontiguousarray(painted[..., ::-1])


def class_shares(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """(K,) share of the picture in [0, 1] that each class takes."""
    counts = np.zeros(num_classes, np.int64)
    for top in range(0, len(labels), 1024):  # bincount makes 8 bytes of every pixel
        counts += np.bincount(labels[top : top + 1024].ravel(), minlength=num_classes)[:num_classes]
    return counts / max(labels.size, 1)


def _at_painting_size(image: np.ndarray, labels: np.ndarray, max_side: int | None) -> tuple[np.ndarray, np.ndarray]:
    height, width = labels.shape
    scale = painting_scale(height, width, **({"max_side": max_side, "min_side": 1} if max_side else {}))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    small = labels if labels.dtype in (np.uint8, np.uint16, np.int16, np.int32) else labels.astype(np.int32)
    if small.dtype == np.int32:  # OpenCV's nearest neighbour keeps 16 bits
        small = small.astype(np.uint16)
    if size != labels.shape:
        small = cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return small.astype(np.int32), resize_picture(image, size)[..., ::-1]


def _tint(picture, labels, colours, alpha, background_index) -> np.ndarray:
    """(H, W, 3) RGB: colours over the picture, thin light lines between classes."""
    painted_mask = labels < len(colours)
    if background_index is not None:
        painted_mask &= labels != background_index
    tint = colours[np.minimum(labels, len(colours) - 1)]
    blend = cv2.addWeighted(np.ascontiguousarray(picture), 1 - alpha, tint, alpha, 0)
    out = np.where(painted_mask[..., None], blend, picture)
    edges = edges_of(labels, width=max(1, round(max(labels.shape) / 700)))
    out[edges] = np.rint(0.25 * out[edges] + 0.75 * 255)
    return out


def edges_of(labels: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: pixels at the border of two classes."""
    edges = np.zeros(labels.shape, bool)
    edges[:-1] |= labels[:-1] != labels[1:]
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    if width > 1:
        edges = cv2.dilate(edges.astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    return edges


def _name_regions(painted, labels, classes, colours, background_index) -> np.ndarray:
    """The largest region of each class gets its name at its widest place, where the name fits."""
    size = font_size(*labels.shape)
    sheet = Image.fromarray(painted)
    for index in np.unique(labels):
        if index >= len(classes) or index == background_index:
            continue
        text = shorten(classes[index], size, 14 * size)
        width, height = chip_size(text, size)
        centre, radius = widest_place((labels == index).astype(np.uint8))
        if radius < 0.75 * height or 2 * radius < 0.5 * width:
            continue
        x = int(np.clip(centre[0] - width / 2, 0, max(labels.shape[1] - width, 0)))
        y = int(np.clip(centre[1] - height / 2, 0, max(labels.shape[0] - height, 0)))
        draw_chip(sheet, (x, y, x + width, y + height), text, size, tuple(int(value) for value in colours[index]))
    return np.asarray(sheet)


def widest_place(mask: np.ndarray) -> tuple[tuple[float, float], float]:
    """Centre (x, y) and radius of the largest circle within a mask (H, W), found at a quarter of the size."""
    step = max(1, max(mask.shape) // 400)
    padded = np.pad(mask[::step, ::step], 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    _, radius, _, (x, y) = cv2.minMaxLoc(distance)
    return ((x - 1) * step, (y - 1) * step), radius * step


def _entries(shares: np.ndarray, classes, colours) -> list[LegendEntry]:
    order = [index for index in np.argsort(-shares, kind="stable") if shares[index] > 0]
    return [LegendEntry(classes[i], tuple(int(v) for v in colours[i]), format_share(shares[i])) for i in order]


def format_share(share: float) -> str:
    """0.421 -> '42 %'; small shares keep a decimal, the smallest are '< 0.1 %'."""
    percent = 100 * share
    if percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"


def _absent(shares: np.ndarray, classes: Sequence[str], limit: int = 20) -> str:
    missing = [name for name, share in zip(classes, shares) if share == 0]
    if not missing:
        return ""
    listed = ", ".join(missing[:limit])
    return f"not found: {listed}" + (f" and {len(missing) - limit} more" if len(missing) > limit else "")
