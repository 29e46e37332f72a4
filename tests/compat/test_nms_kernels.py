"""NMS against values worked out by hand and against the textbook loop."""

import numpy as np
import pytest
import torch

from ovdense.compat.nms_kernels import greedy_nms, soft_nms

# IoU of the first two boxes: 80 / 120 = 2/3; the third touches neither.
BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 20, 30, 30]])


def loop_nms(boxes, scores, threshold, offset=0):
    """Textbook greedy NMS in numpy float32: a box stays when no kept box overlaps it."""
    boxes = boxes.numpy().astype(np.float32)
    area = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    kept = []
    for index in np.argsort(-scores.numpy(), kind="stable"):
        corner = np.minimum(boxes[index, 2:], boxes[kept, 2:]) - np.maximum(boxes[index, :2], boxes[kept, :2])
        inter = np.prod(np.maximum(corner + np.float32(offset), 0), axis=1)
        if not (inter / (area[index] + area[kept] - inter) > np.float32(threshold)).any():
            kept.append(index)
    return kept


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ([0.5, 0.9, 0.7], 0.6, [1, 2]),
        ([0.5, 0.9, 0.7], 0.7, [1, 2, 0]),
        ([0.9, 0.9, 0.9], 0.6, [0, 2]),  # ties: the first of equal scores wins
        ([0.1, 0.2, 0.3], 0.0, [2, 1]),
    ],
)
def test_hand_worked(scores, threshold, expected):
    assert greedy_nms(BOXES, torch.tensor(scores), threshold).tolist() == expected


def test_threshold_is_exclusive_and_offset_counts():
    boxes = torch.tensor([[0.0, 0, 3, 3], [0, 0, 3, 1]])  # IoU 1/3; with offset 1: 8 / 16 = 1/2
    scores = torch.tensor([0.9, 0.8])
    assert greedy_nms(boxes, scores, 1 / 3).tolist() == [0, 1]
    assert greedy_nms(boxes, scores, 0.4).tolist() == [0, 1]
    assert greedy_nms(boxes, scores, 0.4, offset=1).tolist() == [0]
    assert greedy_nms(boxes, scores, 0.5, offset=1).tolist() == [0, 1]


@pytest.mark.parametrize("offset", [0, 1])
def test_equals_the_loop_over_several_blocks(offset):
    generator = torch.Generator().manual_seed(3)
    boxes = torch.rand(2500, 4, generator=generator) * 200
    boxes[:, 2:] = boxes[:, :2] + 5 + boxes[:, 2:] / 5
    scores = (torch.rand(2500, generator=generator) * 50).round() / 50  # many ties
    assert greedy_nms(boxes, scores, 0.4, offset).tolist() == loop_nms(boxes, scores, 0.4, offset)


def test_empty_degenerate_and_half():
    assert greedy_nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    points = torch.zeros(2, 4)  # 0 / 0 is not above any threshold: both stay, as in C++
    assert greedy_nms(points, torch.ones(2), 0.5).tolist() == [0, 1]
    assert greedy_nms(BOXES.half(), torch.tensor([0.5, 0.9, 0.7]).half(), 0.6).tolist() == [1, 2]
    with pytest.raises(ValueError, match="got 3 boxes and 2 scores"):
        greedy_nms(BOXES, torch.ones(2), 0.5)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (0, [[1, 0.9], [2, 0.7]]),
        (1, [[1, 0.9], [2, 0.7], [0, 0.5 * (1 - 2 / 3)]]),
        (2, [[1, 0.9], [2, 0.7], [0, 0.5 * float(np.exp(-(4 / 9) / 0.5))]]),
    ],
)
def test_soft_nms_hand_worked(method, expected):
    dets = torch.zeros(3, 5)
    kept = soft_nms(BOXES, torch.tensor([0.5, 0.9, 0.7]), dets, 0.3, 0.5, 1e-3, method, 0)
    assert kept.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(dets[: len(kept), 4], torch.tensor([score for _, score in expected]))
    torch.testing.assert_close(dets[: len(kept), :4], BOXES[kept])


def scalar_soft_nms(boxes, scores, threshold, sigma, min_score, method):
    """The swap-by-swap order of the C++ operator, one value at a time."""
    one, zero = np.float32(1), np.float32(0)
    rows = [[*box, score, index] for index, (box, score) in enumerate(zip(boxes.numpy(), scores.numpy()))]
    size, start = len(rows), 0
    while start < size:
        best = max(range(start, size), key=lambda position: (rows[position][4], -position))
        rows[start], rows[best] = rows[best], rows[start]
        position = start + 1
        while position < size:
            a, b = rows[start], rows[position]
            width = max(zero, min(a[2], b[2]) - max(a[0], b[0]))
            height = max(zero, min(a[3], b[3]) - max(a[1], b[1]))
            inter = width * height
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
            iou = inter / union
            if method == 2:
                b[4] *= np.exp(-(iou * iou) / np.float32(sigma))
            elif iou >= np.float32(threshold):
                b[4] *= zero if method == 0 else one - iou
            if b[4] < min_score:
                rows[position] = list(rows[size - 1])
                size -= 1
            else:
                position += 1
        start += 1
    return [row[5] for row in rows[:size]], [row[4] for row in rows[:size]]


@pytest.mark.parametrize("method", [0, 1, 2])
def test_soft_nms_keeps_the_swap_order(method):
    generator = torch.Generator().manual_seed(5)
    boxes = (torch.rand(120, 4, generator=generator) * 8).round() * 8  # a coarse lattice: many ties and overlaps
    boxes[:, 2:] = boxes[:, :2] + 16
    scores = (torch.rand(120, generator=generator) * 8).round() / 8 + 0.125
    dets = torch.zeros(120, 5)
    kept = soft_nms(boxes, scores, dets, 0.3, 0.5, 0.05, method, 0)
    ids, values = scalar_soft_nms(boxes, scores, 0.3, 0.5, 0.05, method)
    assert kept.tolist() == ids
    torch.testing.assert_close(dets[: len(ids), 4], torch.tensor(values))


def test_soft_nms_rejects_unknown_methods():
    with pytest.raises(ValueError, match="got 3"):
        soft_nms(BOXES, torch.ones(3), torch.zeros(3, 5), 0.3, 0.5, 1e-3, 3, 0)
