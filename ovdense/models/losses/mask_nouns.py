"""CLIP's contrastive loss for pairs of which several may name the same thing."""

from __future__ import annotations

import torch
from torch import Tensor


def pair_contrast(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean of the cross-entropies of rows and of columns, (B,B) scaled cosines and (B,B) bool of what is true.

    A row's target is shared out evenly among its true columns; with the diagonal alone this is CLIP's loss.
    """
    target = truth.to(logits)
    rows = target / target.sum(dim=1, keepdim=True)
    columns = target / target.sum(dim=0, keepdim=True)
    by_row = -(rows * logits.log_softmax(dim=1)).sum(dim=1).mean()
    by_column = -(columns * logits.log_softmax(dim=0)).sum(dim=0).mean()
    return torch.stack([by_row, by_column]).mean()
