"""Colours for any number of classes, RGB in 0..255."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

BACKGROUND_COLOR = (0, 0, 0)
FIRST_COLOR = (230, 70, 60)
# Weights of the channels in a cheap stand-in for perceived difference.
CHANNEL_WEIGHTS = np.array([2.0, 4.0, 3.0]) ** 0.5


def _candidates(steps: int) -> np.ndarray:
    """(N, 3) colours on a grid of ``steps`` levels a channel, without the dark and the greyish ones."""
    levels = np.linspace(20, 250, steps).round()
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    high, low = colors.max(1), colors.min(1)
    return colors[(high >= 100) & (high - low >= 0.3 * high)]


@lru_cache(maxsize=1)
def _ordered() -> tuple[tuple[int, int, int], ...]:
    """Colours in farthest-first order: each is the candidate farthest from all before it."""
    colors = _candidates(12)
    order = np.empty(len(colors), dtype=int)
    distance = np.full(len(colors), np.inf)
    current = int(np.abs(colors - FIRST_COLOR).sum(1).argmin())
    for rank in range(len(colors)):
        order[rank] = current
        distance = np.minimum(distance, (((colors - colors[current]) * CHANNEL_WEIGHTS) ** 2).sum(1))
        current = int(distance.argmax())
    return tuple(map(tuple, colors[order].astype(int).tolist()))


@lru_cache(maxsize=16)
def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """``count`` different colours, none black; the first n are the same for every count.

    The first thousand or so are as far apart as can be; beyond them the list goes through a finer grid.
    """
    colors = _ordered()
    steps = 24
    while len(colors) < count:
        finer = map(tuple, _candidates(steps).astype(int).tolist())
        colors = tuple(dict.fromkeys((*colors, *finer)))
        steps *= 2
    return colors[:count]
