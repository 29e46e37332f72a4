"""Self-distillation of a CLIP from crops to regions (CLIPSelf, arXiv 2310.01403).

Shapes: R regions, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def grid_choices(most: int) -> list[tuple[int, int]]:
    """(rows, columns) of all grids with at most ``most`` of each and neither more than twice the other."""
    if most < 1:
        raise ValueError(f"a grid has at least one row, got at most {most}")
    return [
        (rows, columns) for rows in range(1, most + 1) for columns in range((rows + 1) // 2, min(2 * rows, most) + 1)
    ]


def grid_boxes(rows: int, columns: int) -> Tensor:
    """Cells of a grid over the picture, (rows * columns, 4) xyxy in [0, 1], row after row."""
    x, y = torch.linspace(0, 1, columns + 1), torch.linspace(0, 1, rows + 1)
    top, left = torch.meshgrid(y[:-1], x[:-1], indexing="ij")
    bottom, right = torch.meshgrid(y[1:], x[1:], indexing="ij")
    return torch.stack([left, top, right, bottom], dim=-1).view(-1, 4)


def cosine_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - mean cosine of pairs, (R,C) x (R,C) -> scalar in [0, 2] (equation 2); 0 without any pair."""
    if student.shape != teacher.shape:
        raise ValueError(f"each region needs one target, got {tuple(student.shape)} and {tuple(teacher.shape)}")
    if not len(student):
        return student.sum()
    return 1 - F.cosine_similarity(student, teacher, dim=-1).mean()


def average_weights(student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """``alpha * student + (1 - alpha) * teacher`` of two state dicts of one model (alpha is 0.7 in the official code).

    Raises:
        ValueError: alpha outside [0, 1], or the names differ.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha, the student's share, is in [0, 1], got {alpha}")
    if student.keys() != teacher.keys():
        differing = sorted(student.keys() ^ teacher.keys())
        raise ValueError(f"student and teacher must be the same model, {len(differing)} names differ: {differing[:4]}")
    return {
        name: torch.lerp(teacher[name].float(), value.float(), alpha).to(value) if value.is_floating_point() else value
        for name, value in student.items()
    }
