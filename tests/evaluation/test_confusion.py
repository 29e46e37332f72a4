"""Confusion counts by hand, and against mmseg's IoU."""

import math

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from ovdense.evaluation.confusion import ConfusionMatrix


def test_by_hand():
    matrix = ConfusionMatrix(["cat", "dog", "sky", "owl"])
    one = matrix.add(np.array([[0, 0, 0, 1], [2, 2, 255, 1]]), np.array([[0, 1, 1, 1], [2, 0, 3, 1]]))
    assert one.counts.sum() == matrix.counts.sum() == 7
    assert matrix.iou[:3].tolist() == [25.0, 50.0, 50.0] and math.isnan(matrix.iou[3])
    assert matrix.accuracy[:3].round(2).tolist() == [33.33, 100.0, 50.0]
    assert matrix.summary() == dict(mIoU=41.67, mAcc=61.11, aAcc=57.14)
    assert matrix.summary([0, 1]) == dict(mIoU=37.5, mAcc=66.67)
    assert matrix.mixups() == [("cat", "dog", 66.67), ("sky", "cat", 33.33)]
    assert matrix.rows()[0] == dict(name="cat", IoU=25.0, Acc=33.33, share=42.86, taken_for="dog (67 %)")
    assert math.isnan(matrix.rows()[3]["IoU"]) and matrix.rows()[3]["taken_for"] == ""


def test_equals_mmseg():
    random = np.random.default_rng(0)
    truth = np.where(random.random((20, 30)) < 0.1, 255, random.integers(0, 6, (20, 30)))
    predicted = np.where(random.random((20, 30)) < 0.5, random.integers(0, 7, (20, 30)), np.minimum(truth, 6))
    matrix = ConfusionMatrix(list("abcdefg"))
    matrix.add(truth, predicted)
    metric = IoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = dict(classes=list("abcdefg"))
    sample = dict(pred_sem_seg=dict(data=torch.tensor(predicted)), gt_sem_seg=dict(data=torch.tensor(truth)))
    metric.process({}, [sample])
    expected = metric.evaluate(1)
    found = matrix.summary()
    assert {key: found[key] for key in ("mIoU", "aAcc")} == {key: expected[key] for key in ("mIoU", "aAcc")}


def test_mistakes():
    matrix = ConfusionMatrix(["a", "b"])
    with pytest.raises(ValueError, match="differ in size"):
        matrix.add(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="a prediction has label 2, there are 2 classes"):
        matrix.add(np.zeros((1, 1)), np.full((1, 1), 2))
