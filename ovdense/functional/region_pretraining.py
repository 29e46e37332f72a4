"""RegionCLIP's pretraining (arXiv 2112.09106): pseudo-labels of regions and its three losses.

Shapes: R regions, R' of them kept, K concepts, B images, D channels of the text space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pseudo_labels(
    teacher: Tensor, concepts: Tensor, temperature: float = 0.01, threshold: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """Concepts of regions after a frozen teacher, (R,D) x (K,D) -> kept (R,) bool, targets (R',), log p (R',K).

    A region is kept where the teacher's largest probability exceeds ``threshold``.
    """
    logits = F.normalize(teacher, dim=1) @ F.normalize(concepts, dim=1).T / temperature
    log_p = logits.log_softmax(1)
    best, target = log_p.exp().max(1)
    kept = best > threshold
    return kept, target[kept], log_p[kept]


def region_distillation(student: Tensor, concepts: Tensor, teacher_log_p: Tensor, temperature: float = 0.01) -> Tensor:
    """KL divergence of the student's concept probabilities from the teacher's, mean over regions (R',D); 0 for none.

    The official code takes the logarithm of a softmax, which is NaN once a concept's probability underflows; here the
    logarithm is exact.
    """
    if not len(student):
        return student.sum()
    log_q = (F.normalize(student, dim=1) @ F.normalize(concepts, dim=1).T / temperature).log_softmax(1)
    return F.kl_div(log_q, teacher_log_p, reduction="batchmean", log_target=True)


def concept_contrast(student: Tensor, concepts: Tensor, targets: Tensor, temperature: float = 0.01) -> Tensor:
    """MIL-NCE of regions (R',D) with the concepts' rows that all regions got; 0 for none.

    Row i of ``student`` is held against the target row of every region; those of its own concept are the positives.
    """
    if not len(student):
        return student.sum()
    chosen = F.normalize(concepts, dim=1)[targets]
    logits = F.normalize(student, dim=1) @ chosen.T / temperature
    positive = targets[:, None] == targets[None]
    return (logits.logsumexp(1) - logits.masked_fill(~positive, -torch.inf).logsumexp(1)).mean()


def image_text_contrast(images: Tensor, texts: Tensor, temperature: float = 0.01) -> Tensor:
    """Symmetric InfoNCE of B images and their B captions, (B,D) x (B,D) -> scalar: the mean of both directions."""
    logits = F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
