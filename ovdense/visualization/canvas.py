"""The size at which results are painted, and the legend beside the picture.

Pictures here are RGB uint8 (H, W, 3) arrays or PIL images; colours are RGB triples.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from ovdense.visualization.text import draw_text, shorten, text_size

MIN_SIDE, MAX_SIDE = 640, 2048  # pixels of the longer side: smaller pictures are enlarged, larger ones reduced
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 30), (130, 130, 130)


@dataclass(frozen=True)
class LegendEntry:
    """One line: colour swatch, name, and a value at the right (a share, a count)."""

    name: str
    colour: tuple[int, int, int]
    value: str = ""


def painting_scale(height: int, width: int, min_side: int = MIN_SIDE, max_side: int = MAX_SIDE) -> float:
    """Factor from the picture to the painting, so that names stay readable on any size."""
    side = max(height, width)
    return min(max(min_side / side, 1.0), max_side / side)


def resize_picture(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) to ``size`` (h, w): areas are averaged when reducing, cubic when enlarging."""
    if image.shape[:2] == tuple(size):
        return image
    shrinking = size[0] < image.shape[0]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)


def font_size(height: int, width: int) -> int:
    """Letter height in pixels for a painting of this size."""
    return int(np.clip(round(0.022 * (height * width) ** 0.5), 13, 34))


def add_legend(picture: np.ndarray, entries: list[LegendEntry], note: str = "", max_entries: int = 40) -> np.ndarray:
    """The picture with a legend below it, or at its right if it is upright.

    Entries beyond ``max_entries`` are counted in a last line. ``note`` is a faint line of its own.
    """
    height, width = picture.shape[:2]
    size = font_size(height, width)
    if len(entries) > max_entries:
        note = "  ".join(filter(None, [f"and {len(entries) - max_entries} more", note]))
        entries = entries[:max_entries]
    if not entries and not note:
        return picture
    if height > 1.15 * width:
        return _legend_at_right(picture, entries, note, size)
    return _legend_below(picture, entries, note, size)


def _legend_below(picture: np.ndarray, entries: list[LegendEntry], note: str, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    margin, gap, line = size, size, round(1.7 * size)
    available = width - 2 * margin
    cells = [min(_entry_width(entry, size) + 2 * gap, available) for entry in entries]
    columns = max(1, min(len(entries), available // max(cells, default=available)))
    rows = -(-len(entries) // columns) if entries else 0
    notes = _wrapped(note, size, available)
    total = 2 * margin + line * (rows + len(notes)) - (line - round(1.2 * size))
    sheet = Image.new("RGB", (width, height + total), PAPER)
    sheet.paste(Image.fromarray(picture))
    column_width = available // columns
    for index, entry in enumerate(entries):
        row, column = divmod(index, columns)
        corner = (margin + column * column_width, height + margin + row * line)
        _draw_entry(sheet, entry, corner, column_width - gap, size)
    for index, text in enumerate(notes):
        draw_text(ImageDraw.Draw(sheet), (margin, height + margin + (rows + index) * line), text, size, FAINT)
    return np.asarray(sheet)


def _legend_at_right(picture: np.ndarray, entries: list[LegendEntry], note: str, size: int) -> np.ndarray:
    height, width = picture.shape[:2]
    margin, line = size, round(1.7 * size)
    widest = max([_entry_width(entry, size) for entry in entries], default=8 * size)
    available = min(max(widest, 8 * size), width)
    notes = _wrapped(note, size, available)
    total = max(height, 2 * margin + line * (len(entries) + len(notes)))
    sheet = Image.new("RGB", (width + available + 2 * margin, total), PAPER)
    sheet.paste(Image.fromarray(picture))
    for index, entry in enumerate(entries):
        _draw_entry(sheet, entry, (width + margin, margin + index * line), available, size)
    for index, text in enumerate(notes):
        corner = (width + margin, margin + (len(entries) + index) * line)
        draw_text(ImageDraw.Draw(sheet), corner, text, size, FAINT)
    return np.asarray(sheet)


def _entry_width(entry: LegendEntry, size: int) -> int:
    value = text_size(entry.value, size)[0] + size if entry.value else 0
    return round(1.6 * size) + min(text_size(entry.name[:60], size)[0], 20 * size) + value


def _draw_entry(sheet: Image.Image, entry: LegendEntry, corner: tuple[int, int], width: int, size: int) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = corner
    swatch = round(1.1 * size)
    draw.rounded_rectangle((x, y + 1, x + swatch, y + 1 + swatch), radius=size // 4, fill=entry.colour, outline=FAINT)
    value_width = text_size(entry.value, size)[0] + size if entry.value else 0
    text_x = x + round(1.6 * size)
    name = shorten(entry.name, size, max(width - round(1.6 * size) - value_width, 2 * size))
    draw_text(draw, (text_x, y), name, size, INK)
    if entry.value:
        draw_text(draw, (text_x + text_size(name, size)[0] + round(0.6 * size), y), entry.value, size, FAINT)


def _wrapped(text: str, size: int, width: int, max_lines: int = 3) -> list[str]:
    """The words on lines of at most ``width`` pixels; what does not fit into ``max_lines`` is cut."""
    lines, current = [], ""
    for word in text.split():
        candidate = f"{current} {word}".strip()
        if current and text_size(candidate, size)[0] > width:
            lines.append(current)
            current = word
            if len(lines) == max_lines:
                return [*lines[:-1], shorten(f"{lines[-1]} …", size, width)]
        else:
            current = candidate
    return [*lines, shorten(current, size, width)] if current else lines
