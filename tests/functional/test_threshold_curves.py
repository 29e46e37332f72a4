"""Counts at thresholds and the figures of them, worked out by hand."""

import pytest
import torch

from ovdense.functional.threshold_curves import average_precision, binary_iou, counts_at, iou, thresholds


def test_thresholds_leave_the_ends_out():
    assert thresholds(5).tolist() == [0.25, 0.5, 0.75] and len(thresholds()) == 49


def test_counts_are_of_pixels_above_each_threshold():
    probability, truth = torch.tensor([0.1, 0.3, 0.5, 0.9]), torch.tensor([0, 1, 0, 1])
    counts = counts_at(probability, truth, thresholds(5))
    assert counts.T.tolist() == [[2, 1, 0, 1], [1, 0, 1, 2], [1, 0, 1, 2]]  # 0.5 is not above 0.5


def test_figures_of_counts():
    counts = torch.tensor([[2, 1, 0, 1], [1, 0, 1, 2]]).T
    assert iou(counts, 0.0).tolist() == pytest.approx([2 / 3, 1 / 2])
    assert iou(counts).tolist() == pytest.approx([2 / 4, 1 / 3])
    assert binary_iou(counts, 0.0).tolist() == pytest.approx([(2 / 3 + 1 / 2) / 2, (1 / 2 + 2 / 3) / 2])
    # recall 0.5 at precision 1, recall 1 at precision 2/3
    assert average_precision(counts, 0.0) == pytest.approx(0.5 * (1 + 2 / 3) / 2)
