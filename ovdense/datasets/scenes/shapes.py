"""Procedural drawings that compose a shape, a colour and a pattern: "red star", "blue striped circle".

A fifth of the combinations of shape and colour is held out: its shapes and colours are seen in other combinations
only. All sprites are (size, size, 4) RGBA uint8, as those of the atlas.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

SHAPE_STYLE = "shapes"  # what ``SceneObject.style`` says of such a drawing
SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "cross", "ring", "crescent", "arrow")
COLOURS = {
    "red": (220, 35, 35),
    "orange": (250, 140, 20),
    "yellow": (250, 215, 30),
    "green": (40, 160, 60),
    "blue": (35, 90, 220),
    "purple": (130, 50, 170),
    "pink": (250, 130, 180),
    "brown": (125, 75, 35),
    "black": (25, 25, 25),
    "white": (250, 250, 250),
}
PATTERNS = ("plain", "striped", "dotted")
OVERSAMPLING = 4
_PARTS = {
    " ".join(part for part in (colour, "" if pattern == "plain" else pattern, shape) if part): (shape, colour, pattern)
    for pattern in PATTERNS
    for colour in COLOURS
    for shape in SHAPES
}


def composition_names(group: str = "all") -> tuple[str, ...]:
    """Names of the combinations: ``seen`` (240), ``held-out`` (60, never drawn in training) or ``all``."""
    if group not in ("seen", "held-out", "all"):
        raise ValueError(f"compositions have the groups seen, held-out and all; got {group!r}")
    return tuple(name for name in _PARTS if group == "all" or is_held_out(name) == (group == "held-out"))


def is_composition(name: str) -> bool:
    """Whether a name is one of a drawn shape."""
    return name in _PARTS


def is_held_out(name: str) -> bool:
    """Whether a combination belongs to the held-out ones: two of ten colours of every shape, in all patterns."""
    shape, colour, _ = composition_parts(name)
    return (SHAPES.index(shape) + 2 * list(COLOURS).index(colour)) % 5 == 0


def composition_parts(name: str) -> tuple[str, str, str]:
    """(shape, colour, pattern) of a name."""
    if name not in _PARTS:
        raise KeyError(f"no composition has the name {name!r}; names are such as 'red star' or 'blue striped circle'")
    return _PARTS[name]


@lru_cache(maxsize=512)
def composition_sprite(name: str, size: int = 128) -> np.ndarray:
    """(size, size, 4) RGBA uint8 drawing of a combination, with smooth edges; keep it as it is."""
    shape, colour, pattern = composition_parts(name)
    side = size * OVERSAMPLING
    inside = _outline(shape, side)
    ink = np.array(COLOURS[colour], np.float32)
    paint = np.broadcast_to(ink, (side, side, 3)).copy()
    paint[_pattern(pattern, side)] = (70, 70, 70) if ink @ (0.3, 0.59, 0.11) > 190 else (245, 245, 245)
    border = inside - cv2.erode(inside, np.ones((3, 3), np.uint8), iterations=side // 50)
    paint[border > 0] = ink * 0.6
    rgba = np.dstack([paint, inside.astype(np.float32)])
    sprite = cv2.resize(rgba, (size, size), interpolation=cv2.INTER_AREA).round().astype(np.uint8)
    sprite[sprite[..., 3] == 0] = 0
    return sprite


def _pattern(pattern: str, side: int) -> np.ndarray:
    """(side, side) bool: where the second colour is."""
    y, x = np.mgrid[0:side, 0:side] / side
    if pattern == "striped":
        return ((x + y) * 7) % 1 < 0.45
    if pattern == "dotted":
        row = np.floor(y * 8)
        return np.hypot((x * 8 + 0.5 * row) % 1 - 0.5, (y * 8) % 1 - 0.5) < 0.28
    return np.zeros((side, side), bool)


def _outline(shape: str, side: int) -> np.ndarray:
    """(side, side) uint8, 255 inside the shape."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side * 2 - 1  # -1..1
    radius = np.hypot(x, y)
    if shape == "circle":
        inside = radius < 0.85
    elif shape == "ring":
        inside = (radius < 0.88) & (radius > 0.48)
    elif shape == "crescent":
        inside = (radius < 0.9) & (np.hypot(x - 0.42, y) > 0.72)
    elif shape == "heart":
        u, v = x * 1.3, 0.25 - y * 1.25
        inside = (u**2 + v**2 - 1) ** 3 - u**2 * v**3 < 0
    else:
        corners = ((np.array(_POLYGONS[shape]) + 1) / 2 * side).round().astype(np.int32)
        return cv2.fillPoly(np.zeros((side, side), np.uint8), [corners], 255)
    return inside.astype(np.uint8) * 255


def _around(count: int, *radii: float, start: float = -90) -> list[tuple[float, float]]:
    """``count`` corners around the centre, at the radii in turn; the first at ``start`` degrees (-90 is up)."""
    angles = [math.radians(start + 360 * index / count) for index in range(count)]
    return [(radii[i % len(radii)] * math.cos(a), radii[i % len(radii)] * math.sin(a)) for i, a in enumerate(angles)]


_ARM = 0.3
_POLYGONS = {
    "square": [(-0.76, -0.76), (0.76, -0.76), (0.76, 0.76), (-0.76, 0.76)],
    "triangle": [(0, -0.85), (0.9, 0.72), (-0.9, 0.72)],
    "star": _around(10, 0.95, 0.4),
    "hexagon": _around(6, 0.9, start=0),
    "cross": [
        *[(-_ARM, -0.88), (_ARM, -0.88), (_ARM, -_ARM), (0.88, -_ARM), (0.88, _ARM), (_ARM, _ARM)],
        *[(_ARM, 0.88), (-_ARM, 0.88), (-_ARM, _ARM), (-0.88, _ARM), (-0.88, -_ARM), (-_ARM, -_ARM)],
    ],
    "arrow": [(-0.9, -0.26), (0.1, -0.26), (0.1, -0.7), (0.92, 0), (0.1, 0.7), (0.1, 0.26), (-0.9, 0.26)],
}
