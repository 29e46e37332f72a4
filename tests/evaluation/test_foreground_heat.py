"""Heat maps as foreground, by hand."""

import math

import pytest
import torch

from ovdense.evaluation import ForegroundHeatMetric
from ovdense.evaluation.foreground_heat import average_precision, score_heat


def test_average_precision_by_hand():
    truth = torch.tensor([True, False, True, False])
    assert average_precision(torch.tensor([0.9, 0.8, 0.7, 0.1]), truth) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision(torch.zeros(4), truth) == pytest.approx(0.5)  # one group of ties
    assert math.isnan(average_precision(torch.zeros(2), torch.zeros(2, dtype=torch.bool)))


def test_a_perfect_heat_and_its_reverse():
    truth = torch.tensor([[True, True], [False, False]])
    valid = torch.ones(2, 2, dtype=torch.bool)
    good = score_heat(truth.float(), truth, valid)
    assert (good["right"], good["labelled"], good["precision"]) == (4, 4, 1.0)
    assert score_heat((~truth).float(), truth, valid)["right"] == 0


def test_the_metric_takes_every_class_that_a_picture_shows():
    truth = torch.tensor([[[0, 0], [1, 255]]])
    heat = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 5.0]]])
    metric = ForegroundHeatMetric()
    metric.process({}, [dict(seg_logits=dict(data=heat), gt_sem_seg=dict(data=truth))])
    found = metric.compute_metrics(metric.results)
    # class 0 is right on 3 pixels of 3, class 1 on the 2 of the background alone
    assert found["pixel_accuracy"] == pytest.approx(100 * 5 / 6, abs=0.01)
    assert found["foreground_mIoU"] == pytest.approx(50 * (2 / 3 + 3 / 4), abs=0.01)
    with pytest.raises(ValueError, match="keep_logits=True"):
        metric.process({}, [dict(gt_sem_seg=dict(data=truth))])
