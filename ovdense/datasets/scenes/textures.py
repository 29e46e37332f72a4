"""Procedural 'stuff' textures: sixteen named materials, each drawn anew from a random generator.

A texture function takes (rng, n) and returns an (n, n, 3) RGB float image in 0..255; lengths in pixels are meant for
``n = 224`` and grow with ``n``, so that a larger texture shows the same pattern in more detail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator

NOMINAL_SIZE = 224
TEXTURES: dict[str, Callable[[Generator, int], np.ndarray]] = {}


def _named(name: str):
    def add(function):
        TEXTURES[name] = function
        return function

    return add


class TextureBank:
    """Textures by (kind, variant), each drawn at first use and kept; the same for every order of use.

    Args:
        variants: different textures of each kind.
        seed: banks of another seed share no texture with this one.
        size: side of a texture in pixels.
    """

    def __init__(self, *, variants: int = 24, seed: int = 1, size: int = NOMINAL_SIZE) -> None:
        self.variants, self.seed, self.size = variants, seed, size
        self._textures: dict[tuple[int, int], np.ndarray] = {}

    def get(self, kind: int, variant: int) -> np.ndarray:
        """(size, size, 3) RGB uint8 texture; ``kind`` counts the entries of ``TEXTURES``."""
        if (kind, variant) not in self._textures:
            rng = np.random.default_rng([self.seed, kind, variant])
            image = list(TEXTURES.values())[kind](rng, self.size)
            self._textures[kind, variant] = np.clip(image, 0, 255).astype(np.uint8)
        return self._textures[kind, variant]


def fractal_noise(
    rng: Generator,
    n: int,
    octaves: Sequence[int] = (4, 8, 16, 32, 64),
    gain: float = 0.55,
    stretch_x: float = 1.0,
    stretch_y: float = 1.0,
) -> np.ndarray:
    """(n, n) sum of smoothed noise grids of ``octaves`` cells a side, each ``gain`` times weaker, scaled to 0..1."""
    total, amplitude = np.zeros((n, n), np.float32), 1.0
    for cells in octaves:
        grid_shape = max(2, int(cells * stretch_y)) + 1, max(2, int(cells * stretch_x)) + 1
        grid = rng.standard_normal(grid_shape).astype(np.float32)
        total += amplitude * cv2.resize(grid, (n, n), interpolation=cv2.INTER_CUBIC)
        amplitude *= gain
    total -= total.min()
    return total / (total.max() + 1e-6)


def colour_ramp(values: np.ndarray, colours: Sequence[np.ndarray]) -> np.ndarray:
    """Piecewise linear colour (n, n, 3) of values in 0..1 (clipped)."""
    table = np.array(colours, np.float32)
    position = np.clip(values, 0, 1) * (len(table) - 1)
    lower = np.clip(position.astype(int), 0, len(table) - 2)
    weight = (position - lower)[..., None]
    return table[lower] * (1 - weight) + table[lower + 1] * weight


def jittered(rng: Generator, colours: Sequence[tuple[int, int, int]], spread: float = 18) -> list[np.ndarray]:
    """Each RGB colour with normal noise of ``spread`` on every channel."""
    return [np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255) for colour in colours]


def tiling(rng, n, width, height, shift, joint, colour, joint_colour, variation=14.0) -> np.ndarray:
    """Rectangles of slightly different brightness with joints; odd rows are moved by ``shift`` widths."""
    y, x = np.mgrid[0:n, 0:n].astype(np.float32)
    row = (y // height).astype(int)
    x = x + shift * width * (row % 2)
    column = (x // width).astype(int)
    brightness = ((row * 73856093) ^ (column * 19349663) ^ int(rng.integers(1 << 30))) % 1000 / 1000.0
    image = np.array(colour, np.float32) + (brightness[..., None] - 0.5) * 2 * variation
    image[((y % height) < joint) | ((x % width) < joint)] = joint_colour
    return image


def grain(rng: Generator, n: int, strength: float) -> np.ndarray:
    """(n, n, 1) white noise."""
    return rng.normal(0, strength, (n, n, 1))


@_named("grass")
def grass(rng, n):
    height = fractal_noise(rng, n, octaves=(6, 16, 40, 90), stretch_y=0.6)
    image = colour_ramp(height, jittered(rng, [(20, 70, 15), (50, 130, 30), (120, 190, 60)]))
    blades = cv2.GaussianBlur(rng.standard_normal((n, n)).astype(np.float32), (1, 7), 0) * 18
    return image + blades[..., None]


@_named("sky")
def sky(rng, n):
    y = np.linspace(0, 1, n)[:, None]
    blue = colour_ramp(np.repeat(y, n, 1), jittered(rng, [(60, 130, 220), (150, 200, 245)]))
    clouds = np.clip((fractal_noise(rng, n, octaves=(3, 6, 12, 24), stretch_x=0.8) - 0.5) * 3, 0, 1)[..., None]
    clouds = clouds * rng.uniform(0, 0.9)
    return blue * (1 - clouds) + 245 * clouds


@_named("water")
def water(rng, n):
    y = np.mgrid[0:n, 0:n][0] / n
    waves = np.sin((y * rng.uniform(14, 30) + fractal_noise(rng, n, octaves=(3, 8)) * 3) * 6.28)
    waves = 0.35 * waves * fractal_noise(rng, n, octaves=(5, 20), stretch_x=0.4)
    ripples = 0.15 * (fractal_noise(rng, n, octaves=(30,), stretch_x=0.3) - 0.5)
    return colour_ramp(0.5 + waves + ripples, jittered(rng, [(10, 50, 110), (30, 110, 170), (150, 220, 235)], 14))


@_named("sand")
def sand(rng, n):
    height = fractal_noise(rng, n, octaves=(3, 60, 100))
    colours = jittered(rng, [(190, 160, 100), (225, 200, 140), (245, 228, 180)], 10)
    return colour_ramp(height, colours) + grain(rng, n, 9)


@_named("brick wall")
def brick_wall(rng, n):
    unit = n / NOMINAL_SIZE
    brick = rng.uniform(9, 22) * unit
    joint = max(unit, brick * 0.12)
    colour, mortar = jittered(rng, [(165, 70, 50)])[0], jittered(rng, [(190, 180, 170)])[0]
    return tiling(rng, n, brick * 2.2, brick, 0.5, joint, colour, mortar, 22) + grain(rng, n, 6)


@_named("wooden planks")
def wooden_planks(rng, n):
    unit = n / NOMINAL_SIZE
    width = rng.uniform(14, 40) * unit
    fibres = fractal_noise(rng, n, octaves=(2, 4, 30), stretch_y=8, stretch_x=0.5)
    image = colour_ramp(fibres, jittered(rng, [(95, 55, 25), (150, 95, 50), (190, 135, 80)]))
    x = np.mgrid[0:n, 0:n][1]
    image[(x % width) < 1.5 * unit] *= 0.45
    return image.transpose(1, 0, 2).copy() if rng.random() < 0.5 else image


@_named("stone")
def stone(rng, n):
    unit = n / NOMINAL_SIZE
    centres = (rng.uniform(0, NOMINAL_SIZE, (int(rng.integers(25, 90)), 2)) * unit).astype(np.float32)
    y, x = np.mgrid[0 : n : 2 * unit, 0 : n : 2 * unit]
    distance = np.sqrt((x[..., None] - centres[:, 0]) ** 2 + (y[..., None] - centres[:, 1]) ** 2)
    nearest = cv2.resize(distance.argmin(-1).astype(np.uint8), (n, n), interpolation=cv2.INTER_NEAREST)
    distance = np.partition(distance, 1, -1)
    edge = cv2.resize((distance[..., 1] - distance[..., 0]).astype(np.float32), (n, n))
    brightness = rng.uniform(90, 170, len(centres))
    image = np.repeat(brightness[nearest][..., None], 3, 2) + jittered(rng, [(0, 0, 0)], 8)[0]
    image = image + 30 * (fractal_noise(rng, n, octaves=(20, 60)) - 0.5)[..., None]
    image[edge < 2.5 * unit] *= 0.5
    return image


@_named("snow")
def snow(rng, n):
    height = fractal_noise(rng, n, octaves=(2, 5, 50))
    return colour_ramp(height, jittered(rng, [(205, 220, 240), (235, 242, 250), (255, 255, 255)], 5)) + grain(rng, n, 3)


@_named("tiled floor")
def tiled_floor(rng, n):
    unit = n / NOMINAL_SIZE
    tile = rng.uniform(14, 36) * unit
    colour = jittered(rng, [(200, 205, 205)], 25)[0]
    image = tiling(rng, n, tile, tile, 0, max(unit, tile * 0.07), colour, (110, 110, 110), 6)
    if rng.random() < 0.6:
        y, x = np.mgrid[0:n, 0:n]
        image[(((x // tile) + (y // tile)) % 2) > 0] *= rng.uniform(0.3, 0.7)
    return image


@_named("fabric")
def fabric(rng, n):
    unit = n / NOMINAL_SIZE
    y, x = np.mgrid[0:n, 0:n]
    first, second = jittered(rng, [(150, 60, 120), (60, 80, 160)], 50)
    period = rng.uniform(3, 8) * unit
    weave = (np.sin(x * 6.28 / period) * np.sin(y * 6.28 / period))[..., None]
    stripe = ((x // (rng.uniform(12, 40) * unit)) % 2)[..., None]
    return first * (1 - stripe) + second * stripe + weave * 28


@_named("gravel")
def gravel(rng, n):
    pebbles = fractal_noise(rng, n, octaves=(45, 70), gain=0.9)
    colours = jittered(rng, [(50, 48, 45), (130, 125, 118), (205, 200, 190)], 10)
    return colour_ramp((pebbles - 0.3) * 1.8, colours) + grain(rng, n, 14)


@_named("asphalt road")
def asphalt_road(rng, n):
    unit = n / NOMINAL_SIZE
    image = np.full((n, n, 3), rng.uniform(50, 90), np.float32) + grain(rng, n, 10)
    image = image + 12 * (fractal_noise(rng, n, octaves=(4, 10)) - 0.5)[..., None]
    centre = rng.uniform(0.3, 0.7) * n
    y, x = np.mgrid[0:n, 0:n]
    width = rng.uniform(3, 6) * unit
    image[(abs(x - centre) < width) & ((y % (50 * unit)) < 30 * unit)] = jittered(rng, [(235, 225, 180)])[0]
    return image


@_named("lava")
def lava(rng, n):
    height = fractal_noise(rng, n, octaves=(4, 8, 16, 32))
    colours = jittered(rng, [(255, 230, 90), (240, 100, 15), (60, 15, 10), (25, 10, 10)], 8)
    return colour_ramp(abs(height - 0.5) * 3, colours)


@_named("foliage")
def foliage(rng, n):
    unit = n / NOMINAL_SIZE
    image = np.full((n, n, 3), 20, np.float32)
    image[..., 1] = 45
    for _ in range(330):
        x, y = rng.uniform(0, NOMINAL_SIZE, 2) * unit
        colour = int(rng.uniform(20, 90)), int(rng.uniform(80, 180)), int(rng.uniform(15, 60))
        leaf = int(rng.uniform(6, 14) * unit), int(rng.uniform(3, 6) * unit)
        cv2.ellipse(image, (int(x), int(y)), leaf, rng.uniform(0, 180), 0, 360, colour, -1)
    return image


@_named("marble")
def marble(rng, n):
    height = fractal_noise(rng, n, octaves=(3, 6, 12, 24))
    veins = np.abs(np.sin(height * 9 + fractal_noise(rng, n, octaves=(4,)) * 4))
    colours = jittered(rng, [(240, 238, 235), (200, 200, 205), (110, 110, 120)], 8)
    return colour_ramp(1 - np.clip(veins * 2.5, 0, 1) * 0.9, colours)


@_named("soil")
def soil(rng, n):
    height = fractal_noise(rng, n, octaves=(5, 20, 60, 100), gain=0.8)
    return colour_ramp(height, jittered(rng, [(45, 28, 15), (90, 60, 35), (130, 95, 60)], 8)) + grain(rng, n, 8)


STUFF = tuple(TEXTURES)
SKY_LIKE = ("sky", "sand", "snow", "brick wall", "foliage")  # what may stand above a horizon
