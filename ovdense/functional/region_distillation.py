"""Distances between embeddings of regions and those of a teacher.

Shapes: R regions, C channels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def embedding_distance(regions: Tensor, targets: Tensor) -> Tensor:
    """L1 distance of unit embeddings, summed over channels, mean over regions: (R,C) x (R,C) -> scalar.

    ViLD (arXiv 2104.13921), equation 4. Targets carry no gradient; no regions give 0.

    Raises:
        ValueError: shapes differ.
    """
    if regions.shape != targets.shape:
        raise ValueError(
            f"regions {tuple(regions.shape)} and the teacher's rows {tuple(targets.shape)} differ: the region head must"
            " give as many channels as the teacher"
        )
    difference = F.normalize(regions, dim=1) - F.normalize(targets.detach().to(regions), dim=1)
    return difference.abs().sum() / max(len(regions), 1)
