"""How an output of ours is held against an official one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FEATURE_ATOL = 2e-5
SCALED_LOGIT_ATOL = 1e-4
ROUNDING = 1e-5


@dataclass
class Labels:
    """A label map (B,H,W) and the scores (B,K,H,W) that decided it, to tell ties from errors.

    Args:
        threshold: score of the winner below which the label became ``background``; also a place where rounding decides.
    """

    labels: Tensor
    scores: Tensor
    threshold: float | None = None


def check(actual: Tensor | Labels, expected: Tensor, atol: float = FEATURE_ATOL, rounding: float = 0.0) -> str:
    """Raises AssertionError on a difference; returns what is worth saying.

    Args:
        rounding: relative error of the stored values themselves, where they are in half precision.
    """
    if isinstance(actual, Labels):
        return check_labels(actual, expected)
    assert actual.shape == expected.shape, f"shape {tuple(actual.shape)} instead of {tuple(expected.shape)}"
    torch.testing.assert_close(actual.double(), expected.double(), atol=atol, rtol=2e-5 + rounding, equal_nan=True)
    return f"max difference {(actual.double() - expected.double()).abs().max():.1e}"


def check_labels(actual: Labels, expected: Tensor) -> str:
    """Labels must be equal, save where float rounding decides between the two best classes or about the threshold."""
    labels = actual.labels.to(expected.device).long()
    assert labels.shape == expected.shape, f"shape {tuple(labels.shape)} instead of {tuple(expected.shape)}"
    wrong = labels != expected.long()
    best = actual.scores.topk(min(2, actual.scores.shape[1]), dim=1).values
    close = torch.zeros_like(wrong) if best.shape[1] < 2 else best[:, 0] - best[:, 1] < ROUNDING
    if actual.threshold is not None:
        close |= (best[:, 0] - actual.threshold).abs() < ROUNDING
    errors = wrong & ~close
    assert not errors.any(), f"{int(errors.sum())} of {errors.numel()} labels differ beyond float rounding"
    return f"{int(wrong.sum())} of {wrong.numel()} labels differ, all within float rounding"
