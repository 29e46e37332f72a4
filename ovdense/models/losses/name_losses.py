"""Losses of pictures against the set of names that are true of them; no place of anything is given.

Shapes: B pictures, N patches, W words of the bank, P names of one picture at most (padded).
"""

from __future__ import annotations

import torch
from torch import Tensor


def name_contrast(logits: Tensor, truth: Tensor) -> Tensor:
    """Every true word against all words that are not true of the picture, the true ones not against each other.

    ``-log(exp(l_p) / (exp(l_p) + sum of exp(l_n) for false n))``, a mean over true words by weight.

    Args:
        logits: (B, W).
        truth: (B, W) weights of the true words, 0 for words that are not true.
    """
    false = torch.logsumexp(logits.masked_fill(truth > 0, float("-inf")), 1, keepdim=True)
    losses = torch.nn.functional.softplus(false - logits)
    weights = truth / truth.sum(1, keepdim=True).clamp(min=1e-6)
    return (losses * weights).sum(1).mean()


def pool_by_name(cosines: Tensor, sharpness: float) -> Tensor:
    """Cosine of every word with the picture, pooled where the word fits best: (B, N, W) -> (B, W).

    The patches' weights are a softmax over the patches, as in PACL (arXiv 2212.04994) but without its extra vision
    head.
    """
    return ((sharpness * cosines).softmax(1) * cosines).sum(1)


def assign_patches(logits: Tensor, valid: Tensor) -> Tensor:
    """Which of its picture's names each patch shows, by the model's own judgement: (B, N, P) -> rows that sum to 1.

    Each name first shares itself out over the patches, so that none goes away empty-handed, then each patch chooses
    among the names (one step of Sinkhorn's iteration).

    Args:
        logits: (B, N, P) scaled cosines of the patches with the names of their picture.
        valid: (B, P) bool, False where a picture has fewer names.
    """
    shares = logits.log_softmax(1).masked_fill(~valid[:, None], float("-inf"))
    return shares.softmax(2)


def assigned_contrast(logits: Tensor, truth: Tensor, names: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy of every patch with the names it is assigned to, against the words that are not true.

    Args:
        logits: (B, N, W) scaled cosines.
        truth: (B, W) weights of the true words.
        names: (B, P) index of the picture's names among the words.
        valid: (B, P) bool, False for padding.
    """
    own = logits.gather(2, names[:, None].expand(-1, logits.shape[1], -1))  # (B, N, P)
    target = assign_patches(own.detach(), valid)
    false = torch.logsumexp(logits.masked_fill((truth > 0)[:, None], float("-inf")), 2, keepdim=True)
    own = own.masked_fill(~valid[:, None], float("-inf"))
    total = torch.logaddexp(false, own.logsumexp(2, keepdim=True))
    losses = target * (total - own.masked_fill(~valid[:, None], 0))
    return losses.sum(2).mean()
