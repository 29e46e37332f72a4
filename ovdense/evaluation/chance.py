"""What chance reaches: figures of a guesser that knows the shapes at best, never the names.

Shapes: K classes.
"""

from __future__ import annotations

import numpy as np


def chance_miou(areas: np.ndarray) -> float:
    """mIoU in percent of a class drawn at random for every pixel.

    A class of area share p is hit on p / K of the pixels; predicted and true pixels together are 1 / K + p - p / K.

    Args:
        areas: (K,) pixels of each class; classes without any do not count.
    """
    areas = np.asarray(areas, float)
    share = areas[areas > 0] / areas.sum()
    hit = share / len(areas)
    return 100 * float((hit / (1 / len(areas) + share - hit)).mean())


def chance_ap50(counts: np.ndarray) -> float:
    """AP50 in percent of perfect boxes with one random name each.

    A class with n of N objects gets N / K boxes of precision n / N, at a recall of 1 / K at most. COCO reads the
    precision at 101 recalls, of which ``floor(100 / K) + 1`` lie up to there.

    Args:
        counts: (K,) objects of each class; classes without any do not count.
    """
    counts = np.asarray(counts, float)
    share = counts[counts > 0] / counts.sum()
    recalls = 100 // len(counts) + 1
    return 100 * float((share * recalls / 101).mean())


def chance_pq(counts: np.ndarray) -> float:
    """PQ in percent of perfect segments with one random name each.

    Of a class with n of N segments n / K are hit, N / K - n / K are false and n - n / K are missed, at an SQ of 1.

    Args:
        counts: (K,) segments of each class; classes without any do not count.
    """
    counts = np.asarray(counts, float)
    present, total, names = counts[counts > 0], counts.sum(), len(counts)
    return 100 * float((present / names / ((total / names + present) / 2)).mean())
