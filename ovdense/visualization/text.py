"""Text on pictures: a font that has the glyphs, chips and their sizes.

matplotlib carries DejaVu Sans, which covers Latin, Greek, Cyrillic, Arabic and more; for other scripts the usual fonts
of the system are tried. A glyph that no font has is drawn as an empty box.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

# File names that Pillow finds in the font folders of Linux, macOS and Windows.
SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "msyh.ttc",
    "malgun.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "arialuni.ttf",
)


@lru_cache(maxsize=256)
def font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """The first font that has every glyph of ``text``, else DejaVu Sans; ``size`` in pixels."""
    bundled = _bundled_font()
    if _covers(bundled, text):
        return ImageFont.truetype(bundled, size)
    for name in SYSTEM_FONTS:
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue
        if _covers(font.path, text):
            return font
    return ImageFont.truetype(bundled, size)


def text_size(text: str, size: int) -> tuple[int, int]:
    """(width, height) in pixels of one line; the height depends on the font only, so that lines agree."""
    font = font_for(text, size)
    ascent, descent = font.getmetrics()
    return round(font.getlength(text)), ascent + descent


def shorten(text: str, size: int, width: int) -> str:
    """The text on one line of at most ``width`` pixels, with an ellipsis if something had to go."""
    text = " ".join(text.split())
    if text_size(text[:400], size)[0] <= width and len(text) <= 400:
        return text
    low, high = 0, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        if text_size(text[:middle] + "…", size)[0] <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def draw_text(draw: ImageDraw.ImageDraw, position: tuple[int, int], text: str, size: int, fill, **options) -> None:
    """One line with its top left corner at ``position`` (x, y)."""
    draw.text(position, text, font=font_for(text, size), fill=fill, **options)


def draw_chip(image: Image.Image, box: tuple[int, int, int, int], text: str, size: int, colour: tuple) -> None:
    """A filled rounded rectangle (x0, y0, x1, y1) with its text, black or white, whichever reads better."""
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle(box, radius=max(2, size // 4), fill=tuple(colour))
    draw_text(draw, (box[0] + chip_padding(size), box[1] + chip_padding(size) // 2), text, size, ink_on(colour))


def chip_size(text: str, size: int) -> tuple[int, int]:
    """(width, height) in pixels of a chip."""
    width, height = text_size(text, size)
    padding = chip_padding(size)
    return width + 2 * padding, height + padding


def chip_padding(size: int) -> int:
    return max(2, size // 3)


def ink_on(colour) -> tuple[int, int, int]:
    """Black or white by the relative luminance of an RGB colour."""
    red, green, blue = (float(value) for value in colour[:3])
    return (20, 20, 20) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)


@lru_cache(maxsize=1)
def _bundled_font() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@lru_cache(maxsize=16)
def _charmap(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def _covers(path: str, text: str) -> bool:
    return all(ord(letter) in _charmap(path) for letter in text if not letter.isspace())
