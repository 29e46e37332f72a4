"""Several paintings side by side, and heat maps.

Pictures here are BGR uint8 (H, W, 3) arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ovdense.visualization.canvas import INK, PAPER, font_size, painting_scale, resize_picture
from ovdense.visualization.text import draw_text, shorten, text_size


def contact_sheet(pictures: Sequence[np.ndarray], captions: Sequence[str], columns: int | None = None) -> np.ndarray:
    """Pictures of one size in rows, each with its caption above it, BGR (h, w, 3) uint8.

    Args:
        pictures: at least one; others than the first are brought to its size.
        captions: one a picture, cut to the picture's width.
        columns: pictures in a row; None: about as wide as high, three at most.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError(f"a sheet needs pictures and a caption for each, got {len(pictures)} and {len(captions)}")
    height, width = pictures[0].shape[:2]
    columns = min(len(pictures), columns or (2 if len(pictures) <= 4 and width >= height else 3))
    size = round(1.5 * font_size(height, width))  # a sheet is looked at smaller than a picture
    gap, head = size, round(1.7 * size)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (gap + columns * (width + gap), gap + rows * (head + height + gap)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions)):
        row, column = divmod(index, columns)
        x, y = gap + column * (width + gap), gap + row * (head + height + gap)
        draw_text(draw, (x, y), shorten(caption, size, width), size, INK)
        sheet.paste(Image.fromarray(resize_picture(picture, (height, width))[..., ::-1]), (x, y + head))
    return np.ascontiguousarray(np.asarray(sheet)[..., ::-1])


def draw_heat_map(
    image: np.ndarray,
    heat: np.ndarray,
    *,
    caption: str = "",
    limits: tuple[float, float] | None = None,
    alpha: float = 0.6,
) -> np.ndarray:
    """The picture under the colours of a heat map, with a colour bar, BGR (h, w, 3) uint8.

    Args:
        image: (H, W, 3) BGR uint8.
        heat: (H, W) floats, any range.
        caption: what the heat stands for, written above the picture.
        limits: heat of the coldest and of the hottest colour; None: the smallest and the largest value.
        alpha: strength of the colours in [0, 1].
    """
    if heat.shape != image.shape[:2]:
        raise ValueError(f"heat must have the size of the picture {image.shape[:2]}, got {heat.shape}")
    low, high = limits or (float(heat.min()), float(heat.max()))
    scale = painting_scale(*heat.shape)
    size = tuple(max(1, round(side * scale)) for side in heat.shape)
    shares = np.clip((heat.astype(np.float32) - low) / max(high - low, 1e-12), 0, 1)
    shares = cv2.resize(shares, size[::-1], interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(resize_picture(image, size), cv2.COLOR_BGR2GRAY)
    picture = cv2.addWeighted(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), 1 - alpha, _colours(shares), alpha, 0)
    return _with_bar(picture, caption, (low, high))


def _colours(shares: np.ndarray) -> np.ndarray:
    return cv2.applyColorMap(np.rint(255 * shares).astype(np.uint8), cv2.COLORMAP_TURBO)


def _with_bar(picture: np.ndarray, caption: str, limits: tuple[float, float]) -> np.ndarray:
    """The picture between its caption and a colour bar whose ends carry the limits."""
    height, width = picture.shape[:2]
    size = font_size(height, width)
    line, margin = round(1.7 * size), size
    top = line + margin // 2 if caption else 0
    sheet = Image.new("RGB", (width, top + height + line + margin), PAPER)
    draw = ImageDraw.Draw(sheet)
    if caption:
        draw_text(draw, (margin, margin // 2), shorten(caption, size, width - 2 * margin), size, INK)
    sheet.paste(Image.fromarray(picture[..., ::-1]), (0, top))
    texts = [f"{limit:.3g}" for limit in limits]
    y, ends = top + height + margin // 2, [text_size(text, size)[0] for text in texts]
    left, right = 2 * margin + ends[0], width - 2 * margin - ends[1]
    draw_text(draw, (margin, y), texts[0], size, INK)
    draw_text(draw, (width - margin - ends[1], y), texts[1], size, INK)
    if right > left:
        bar = _colours(np.tile(np.linspace(0, 1, right - left, dtype=np.float32), (size, 1)))
        sheet.paste(Image.fromarray(bar[..., ::-1]), (left, y + size // 4))
    return np.ascontiguousarray(np.asarray(sheet)[..., ::-1])
