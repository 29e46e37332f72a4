"""Segments embedded by masked attention with the picture's own direction taken off.

Zero-guidance Segmentation Using Zero Segment Labels (arXiv 2303.13396), section 3.2.

Shapes: R segments, H heads, T = 1 + h * w tokens, class token first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention_override import AttentionOverride, key_mask


def global_subtraction(weights: Tensor, plain: Tensor, spread: float = 5.0) -> Tensor:
    """Masked attention less a share of what the class token looks at without a mask, (R,H,T,T) x (R,H,T,T).

    The share is exp(-(c + 1)^2 / spread), c the mean cosine of both over heads and rows: the more a segment looks like
    the whole picture, the less is taken off. Rows no longer sum to 1.
    """
    cosine = F.cosine_similarity(weights, plain, dim=-1).mean(dim=(1, 2))
    share = torch.exp(-((cosine + 1) ** 2) / spread)
    return weights - share[:, None, None, None] * plain[:, :, :1]


def segment_override(masks: Tensor, prefix: int = 1, spread: float | None = 5.0) -> AttentionOverride:
    """Attention within each segment (R,h,w) of 0 and 1 on the patch grid; ``spread`` None subtracts nothing."""
    rule = None if spread is None else lambda weights, plain: global_subtraction(weights, plain, spread)
    return AttentionOverride(mask=key_mask(masks, prefix), rule=rule)


def merge_up(
    children: Sequence[tuple[int, int]], images: Tensor, texts: Tensor | None, leaves: int, threshold: float = 0.8
) -> list[list[int]]:
    """Which leaves of a tree belong together: two children merge when both look and read alike. Section 3.4.

    A node whose children were not both merged whole is never merged with its sibling.

    Args:
        children: (left, right) of each inner node, numbered from ``leaves`` on in this order; a child comes before.
        images: (N, C) image embeddings of all nodes.
        texts: (N, C) embeddings of their names; None compares the images alone.
        leaves: number of leaves.
        threshold: lowest mean cosine of two children that merge.

    Returns:
        The leaves of each segment that is left.
    """
    image, text = F.normalize(images, dim=1), None if texts is None else F.normalize(texts, dim=1)
    groups: dict[int, list[int]] = {index: [index] for index in range(leaves)}
    for offset, (left, right) in enumerate(children):
        if left not in groups or right not in groups:
            continue
        alike = image[left] @ image[right]
        if text is not None:
            alike = 0.5 * alike + 0.5 * text[left] @ text[right]
        if float(alike) >= threshold:
            groups[leaves + offset] = groups.pop(left) + groups.pop(right)
    return [sorted(group) for group in groups.values()]
