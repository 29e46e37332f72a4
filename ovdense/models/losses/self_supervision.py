"""Losses of self-supervised training: contrast between pasted regions, agreement of class tokens.

Shapes: B images, N patches, C channels, K prototypes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MIXED = -1  # region of a patch on a border


def region_contrast(features: Tensor, regions: Tensor, temperature: float = 0.15) -> Tensor:
    """Patches of one pasted region attract each other and repel the rest of their image: a scalar.

    For an anchor a and a patch p of its region, -log(e^{s_ap} / (e^{s_ap} + sum_n e^{s_an})) over the patches n of
    other regions, s being cosines over the temperature; the mean over all such pairs. The background (region 0) repels
    but does not attract: what it shows is unknown.

    Args:
        features: (B,N,C).
        regions: (B,N) int, 0 for the background, -1 (``MIXED``) for patches that count nowhere.
        temperature: of the cosines.
    """
    features = F.normalize(features, dim=-1)
    logits = features @ features.transpose(1, 2) / temperature
    anchor, known = regions > 0, regions != MIXED
    equal = regions[:, :, None] == regions[:, None]
    itself = torch.eye(regions.shape[1], dtype=torch.bool, device=regions.device)
    attracts = equal & anchor[:, :, None] & ~itself
    repels = ~equal & anchor[:, :, None] & known[:, None]
    lowest = torch.finfo(logits.dtype).min
    crowd = logits.masked_fill(~repels, lowest).logsumexp(dim=2, keepdim=True)
    pairs = F.softplus(crowd - logits)[attracts & repels.any(2, keepdim=True)]
    return pairs.sum() / max(1, len(pairs))


def class_token_agreement(
    student: Tensor,
    teacher: Tensor,
    centre: Tensor,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.05,
) -> Tensor:
    """Cross-entropy of the student's prototypes with the centred, sharpened teacher's: DINO (arXiv 2104.14294), eq. 2.

    Args:
        student: (B,K) logits.
        teacher: (B,K) logits; no gradient flows into them.
        centre: (K,) running mean of the teacher's logits.
        student_temperature: of the student's softmax.
        teacher_temperature: of the teacher's softmax, the lower one.
    """
    target = ((teacher.detach() - centre) / teacher_temperature).softmax(dim=-1)
    return -(target * (student / student_temperature).log_softmax(dim=-1)).sum(dim=-1).mean()
