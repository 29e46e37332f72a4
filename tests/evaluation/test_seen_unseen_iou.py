"""S, U, hIoU and pAcc worked out by hand."""

import math

import pytest
import torch

from ovdense.evaluation import SeenUnseenIoUMetric, harmonic_mean

CLASSES = ["a", "b", "c", "d", "e"]


def scores(pairs, split=("c", "d", "e"), **options):
    metric = SeenUnseenIoUMetric(split=list(split), **options)
    metric.dataset_meta = dict(classes=CLASSES)
    for truth, predicted in pairs:
        sample = dict(pred_sem_seg=dict(data=torch.tensor([predicted])), gt_sem_seg=dict(data=torch.tensor([truth])))
        metric.process({}, [sample])
    return metric.evaluate(len(pairs))


def test_by_hand_over_two_pictures():
    # a: true 4, predicted 5, right 3; b: 2, 2, 1; c: 2, 3, 2; d: 2, 0, 0 (its prediction is on an ignored pixel)
    pairs = [
        ([[0, 0, 1, 1, 255]], [[0, 0, 1, 0, 3]]),
        ([[2, 2, 3, 3, 0, 0]], [[2, 2, 2, 0, 0, 1]]),
    ]
    found = scores(pairs)
    a, b, c, d = 3 / 6, 1 / 3, 2 / 3, 0.0
    seen, unseen = (a + b) / 2, (c + d) / 2  # e occurs nowhere
    assert found["mIoU_seen"] == pytest.approx(100 * seen, abs=0.005)
    assert found["mIoU_unseen"] == pytest.approx(100 * unseen, abs=0.005)
    assert found["hIoU"] == pytest.approx(100 * 2 * seen * unseen / (seen + unseen), abs=0.005)
    assert found["pAcc"] == found["aAcc"] == 60.0  # 6 of 10 pixels with a label
    assert found["mIoU"] == pytest.approx(100 * (a + b + c + d) / 4, abs=0.005)


def test_a_class_that_is_only_predicted_counts_by_the_option():
    pairs = [([[0, 2, 2]], [[0, 2, 4]])]
    assert scores(pairs)["mIoU_unseen"] == 25.0  # c 1/2, e 0/1
    assert scores(pairs, present_only=True)["mIoU_unseen"] == 50.0


def test_ends():
    assert harmonic_mean(0.0, 0.0) == 0 and harmonic_mean(60.0, 30.0) == 40 and math.isnan(harmonic_mean(1.0, math.nan))
    assert scores([([[0, 1]], [[0, 1]])])["mIoU_unseen"] != scores([([[0, 1]], [[0, 1]])])["mIoU_unseen"]  # NaN
    assert scores([([[0, 2]], [[1, 0]])])["hIoU"] == 0


def test_published_figures_are_their_harmonic_means():
    for seen, unseen, expected in ((91.9, 77.8, 84.3), (40.2, 41.4, 40.8), (46.0, 54.6, 49.9)):  # ZegCLIP
        assert harmonic_mean(seen, unseen) == pytest.approx(expected, abs=0.06)


def test_it_says_its_split():
    said = SeenUnseenIoUMetric(split="voc-15-5").describe()
    assert said["split"] == "voc-15-5" and "5 unseen classes (voc-15-5)" in said["line"]
