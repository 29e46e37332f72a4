"""Non-maximum suppression in plain torch and numpy, in the order of the C++ operators.

Shapes: N boxes, xyxy in pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BLOCK = 1024
PAIR_BUDGET = 4_000_000


def greedy_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Indices of the boxes that survive greedy suppression, best score first, (N,4) x (N,) -> (M,) int64.

    Equal scores keep their input order and a box goes when its IoU with a kept one is above the threshold, as in the
    C++ operators. Boxes are taken in blocks, so memory stays below ``PAIR_BUDGET`` pairs for any N.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        iou_threshold: in [0, 1]; compared in the float type of the boxes.
        offset: 0, or 1 for boxes whose width is x2 - x1 + 1.
    """
    if len(boxes) != len(scores):
        raise ValueError(f"nms needs one score per box, got {len(boxes)} boxes and {len(scores)} scores")
    if boxes.dtype in (torch.float16, torch.bfloat16) or not boxes.is_floating_point():
        boxes = boxes.float()
    order = scores.detach().sort(dim=0, descending=True, stable=True).indices
    rest = order
    kept = []
    while len(rest):
        head, rest = rest[:BLOCK], rest[BLOCK:]
        survivors = head[_survivors(_overlaps(boxes[head], boxes[head], iou_threshold, offset))]
        kept.append(survivors)
        if len(rest):
            step = max(PAIR_BUDGET // max(len(survivors), 1), 1)
            suppressed = [
                _overlaps(boxes[survivors], boxes[part], iou_threshold, offset).any(0) for part in rest.split(step)
            ]
            rest = rest[~torch.cat(suppressed)]
    return torch.cat(kept) if kept else order


def _overlaps(first: Tensor, second: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Which pairs have an IoU above the threshold, (A,4) x (B,4) -> (A,B) bool."""
    width = torch.minimum(first[:, None, 2], second[None, :, 2])
    width = width.sub_(torch.maximum(first[:, None, 0], second[None, :, 0])).add_(offset).clamp_(min=0)
    inter = torch.minimum(first[:, None, 3], second[None, :, 3])
    inter = inter.sub_(torch.maximum(first[:, None, 1], second[None, :, 1])).add_(offset).clamp_(min=0).mul_(width)
    union = (_areas(first, offset)[:, None] + _areas(second, offset)[None, :]).sub_(inter)
    return inter.div_(union) > iou_threshold


def _areas(boxes: Tensor, offset: int) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)


def _survivors(overlaps: Tensor) -> Tensor:
    """Greedy choice within one block in score order, (A,A) bool -> (A,) bool."""
    table = overlaps.cpu().numpy()
    alive = np.ones(len(table), dtype=bool)
    for index in range(len(table)):
        if alive[index]:
            alive[index + 1 :] &= ~table[index, index + 1 :]
    return torch.from_numpy(alive).to(overlaps.device)


SOFT_NMS_METHODS = {0: "naive", 1: "linear", 2: "gaussian"}


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (arXiv 1704.04503): scores decay with the overlap, and a box below ``min_score`` is dropped.

    The boxes are visited and swapped in the order of mmcv's C++ operator, so ties fall the same way.

    Args:
        boxes: (N, 4) xyxy on the CPU.
        scores: (N,).
        dets: (N, 5) output, filled in place with boxes and decayed scores; rows beyond the result are meaningless.
        method: 0 naive (hard), 1 linear, 2 gaussian.

    Returns:
        (M,) int64 indices in the order of ``dets``.
    """
    if method not in SOFT_NMS_METHODS:
        raise ValueError(f"soft_nms method must be one of {SOFT_NMS_METHODS}, got {method}")
    coordinates = boxes.detach().float().cpu().numpy().copy()
    decayed = scores.detach().float().cpu().numpy().copy()
    widths = coordinates[:, 2:] - coordinates[:, :2] + np.float32(offset)
    table = np.concatenate([coordinates, decayed[:, None], widths.prod(axis=1, keepdims=True)], axis=1)
    ids = np.arange(len(table))
    end = len(table)
    start = 0
    while start < end:
        best = start + int(np.argmax(table[start:end, 4]))
        table[[start, best]] = table[[best, start]]
        ids[[start, best]] = ids[[best, start]]
        others = table[start + 1 : end]
        others[:, 4] *= _soft_weight(_iou_with(table[start], others, offset), iou_threshold, sigma, method)
        end = _drop(table, ids, start + 1, end, min_score)
        start += 1
    dets[:end] = torch.from_numpy(table[:end, :5]).to(dets)
    return torch.from_numpy(ids[:end]).to(boxes.device)


def _iou_with(box: np.ndarray, others: np.ndarray, offset: int) -> np.ndarray:
    corner = np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2]) + np.float32(offset)
    inter = np.maximum(corner, 0).prod(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return inter / (box[5] + others[:, 5] - inter)


def _soft_weight(iou: np.ndarray, iou_threshold: float, sigma: float, method: int) -> np.ndarray:
    if method == 2:
        return np.exp(-(iou * iou) / np.float32(sigma))
    penalty = np.zeros_like(iou) if method == 0 else 1 - iou
    return np.where(iou >= np.float32(iou_threshold), penalty, np.float32(1))


def _drop(table: np.ndarray, ids: np.ndarray, start: int, end: int, min_score: float) -> int:
    """Fills the places of dropped boxes from the end, first hole with last survivor; returns the new end."""
    alive = ~(table[start:end, 4] < np.float32(min_score))
    new_end = start + int(alive.sum())
    holes = start + np.flatnonzero(~alive[: new_end - start])
    movers = (new_end + np.flatnonzero(alive[new_end - start :]))[::-1]
    table[holes], ids[holes] = table[movers], ids[movers]
    return new_end
