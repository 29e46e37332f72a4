"""What chance reaches: figures of a guesser that knows the shapes at best, never the names.

Shapes: K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def chance_miou(areas: np.ndarray, members: Sequence[int] | None = None) -> float:
    """mIoU in percent of a class drawn at random for every pixel.

    A class of area share p is hit on p / K of the pixels; predicted and true pixels together are 1 / K + p - p / K.

    Args:
        areas: (K,) pixels of each class; classes without any do not count.
        members: classes that the mean is taken over; default all. NaN where none of them occurs.
    """
    areas = np.asarray(areas, float)
    share = areas / areas.sum()
    hit = share / len(areas)
    return _mean(hit / (1 / len(areas) + share - hit), areas, members)


def chance_ap50(counts: np.ndarray, members: Sequence[int] | None = None) -> float:
    """AP50 in percent of perfect boxes with one random name each.

    A class with n of N objects gets N / K boxes of precision n / N, at a recall of 1 / K at most. COCO reads the
    precision at 101 recalls, of which ``floor(100 / K) + 1`` lie up to there.

    Args:
        counts: (K,) objects of each class; classes without any do not count.
        members: as in ``chance_miou``.
    """
    counts = np.asarray(counts, float)
    recalls = 100 // len(counts) + 1
    return _mean(counts / counts.sum() * recalls / 101, counts, members)


def chance_pq(counts: np.ndarray, members: Sequence[int] | None = None) -> float:
    """PQ in percent of perfect segments with one random name each.

    Of a class with n of N segments n / K are hit, N / K - n / K are false and n - n / K are missed, at an SQ of 1.

    Args:
        counts: (K,) segments of each class; classes without any do not count.
        members: as in ``chance_miou``.
    """
    counts = np.asarray(counts, float)
    total, names = counts.sum(), len(counts)
    return _mean(counts / names / ((total / names + counts) / 2), counts, members)


def _mean(figures: np.ndarray, amounts: np.ndarray, members: Sequence[int] | None) -> float:
    """Mean in percent over the classes (K,) that occur."""
    kept = np.zeros(len(amounts), bool)
    kept[slice(None) if members is None else list(members)] = True
    figures = figures[kept & (amounts > 0)]
    return 100 * float(figures.mean()) if len(figures) else float("nan")
