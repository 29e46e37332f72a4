"""From scored masks of things and a label map of stuff to one panoptic map.

Shapes: N masks, H x W pixels. A pixel of a panoptic map is class + ``INSTANCE_OFFSET`` * instance, as in mmdet; stuff
has instance 0, void is the number of classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

INSTANCE_OFFSET = 1000


def paste_things(
    masks: Tensor, labels: Tensor, scores: Tensor, num_classes: int, *, min_visible: float = 0.5
) -> Tensor:
    """Panoptic map (H,W) int64 of masks (N,H,W) bool, the best score in front; void where no mask lies.

    The heuristic of Panoptic FPN (arXiv 1901.02446): a mask keeps what no better one has taken, and goes altogether if
    that is less than a share of it.

    Args:
        labels: (N,) classes.
        scores: (N,); of equal ones the first goes in front.
        num_classes: how many classes there are, things and stuff.
        min_visible: share of a mask that must be left, in [0, 1].

    Raises:
        ValueError: more classes than the encoding holds.
    """
    if num_classes >= INSTANCE_OFFSET:
        raise ValueError(f"a panoptic map holds fewer than {INSTANCE_OFFSET} classes, got {num_classes}")
    result = torch.full(masks.shape[1:], num_classes, dtype=torch.int64, device=masks.device)
    number = 0
    for index in scores.argsort(descending=True, stable=True).tolist():
        visible = masks[index] & (result == num_classes)
        left, area = int(visible.sum()), int(masks[index].sum())
        if left and left >= min_visible * area:
            number += 1
            result[visible] = labels[index] + INSTANCE_OFFSET * number
    return result


def fill_stuff(things: Tensor, stuff: Tensor, num_classes: int) -> Tensor:
    """The panoptic map of things (H,W) with the classes of a label map (H,W) wherever it is void."""
    return torch.where(things == num_classes, stuff, things)


def panoptic_ids(panoptic: Tensor, num_classes: int) -> tuple[Tensor, list[dict]]:
    """Segment ids (H,W) int32, 0 for void, of a panoptic map (H,W), and ``id``, ``label``, ``isthing`` of each."""
    values, places = torch.unique(panoptic, return_inverse=True)
    segments, numbers = [], torch.zeros(len(values), dtype=torch.int32)
    for place, value in enumerate(values.tolist()):
        instance, label = divmod(value, INSTANCE_OFFSET)
        if label < num_classes:
            segments.append(dict(id=len(segments) + 1, label=label, isthing=instance > 0))
            numbers[place] = len(segments)
    return numbers.to(places.device)[places], segments
