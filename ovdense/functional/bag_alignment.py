"""Contrast between what text and image towers say of bags of regions (BARON, arXiv 2302.13996, equations 2 and 3).

Shapes: N pairs of embeddings, M rows of a queue, C channels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_contrast(
    queries: Tensor, keys: Tensor, scale: float, twins: Tensor, queue: Tensor, own_image: Tensor
) -> Tensor:
    """InfoNCE of queries (N,C) with keys (N,C) of the same row, the queue's rows (M,C) as further negatives.

    Args:
        twins: (N,N) of bool; pairs that mean the same and are no negatives of each other.
        own_image: (N,M) of bool; rows of the queue that come from the query's own picture and are left out.
    """
    logits = scale * queries @ torch.cat([keys, queue.to(keys)]).T
    others = twins & ~torch.eye(len(queries), dtype=torch.bool, device=twins.device)
    logits = logits.masked_fill(torch.cat([others, own_image], 1), -torch.inf)
    return F.cross_entropy(logits, torch.arange(len(queries), device=queries.device))


def bag_contrast(
    text: Tensor,
    image: Tensor,
    scale: float,
    *,
    ids: Tensor,
    image_ids: Tensor,
    text_queue: Tensor | None = None,
    image_queue: Tensor | None = None,
    queue_image_ids: Tensor | None = None,
) -> Tensor:
    """Mean of the contrast in both directions of unit embeddings (N,C) and (N,C), a scalar.

    Args:
        ids: (N,) rows of one number mean the same set of regions.
        image_ids: (N,) number of each row's picture.
        text_queue: (M,C) earlier text embeddings, ``image_queue`` likewise; None for none.
        queue_image_ids: (M,) the pictures that these come from.
    """
    if text_queue is None:
        text_queue, image_queue = text[:0], image[:0]
        queue_image_ids = image_ids[:0]
    twins = ids[:, None] == ids[None]
    own = image_ids[:, None] == queue_image_ids[None].to(image_ids)
    by_text = masked_contrast(text, image, scale, twins, image_queue, own)
    by_image = masked_contrast(image, text, scale, twins, text_queue, own)
    return (by_text + by_image) / 2


def box_waves(boxes: Tensor, channels: int = 128, temperature: float = 1.2) -> Tensor:
    """Sines and cosines of boxes (N,4) given as centre and size in [0, 1]: (N, 4 * channels).

    Wave lengths fall by ``temperature`` from one pair of channels to the next, about 2 pi at a quarter of them.
    """
    exponent = torch.arange(channels, device=boxes.device).div(2, rounding_mode="floor") - channels // 4
    angles = (boxes * 2 * math.pi)[..., None] * temperature ** exponent.to(boxes)
    waves = torch.where(torch.arange(channels, device=boxes.device) % 2 == 0, angles.sin(), angles.cos())
    return waves.flatten(1)


def same_set_ids(cells: list[tuple[int, ...]], owners: list[int]) -> Tensor:
    """A number (N,) for every row: the same one for rows of one proposal with the same cells in any order."""
    known: dict[tuple, int] = {}
    return torch.tensor([known.setdefault((owner, *sorted(row)), len(known)) for owner, row in zip(owners, cells)])
