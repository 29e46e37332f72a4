"""Figures of phrases' masks over pictures, worked out by hand."""

import pytest
import torch

from ovdense.evaluation import PhraseMaskMetric


def sample(probability, truth, phrase):
    fields = dict(phrase_prob=torch.tensor([probability]), gt_sem_seg=torch.tensor([truth]))
    return {name: dict(data=value) for name, value in fields.items()} | dict(phrase_class=phrase)


def test_figures_over_pictures_and_phrases():
    metric = PhraseMaskMetric(at=(0.5,))
    first = sample([[0.9, 0.9], [0.1, 0.1]], [[1, 0], [0, 255]], 0)  # IoU 1/2, one pixel unknown
    second = sample([[0.9, 0.1], [0.1, 0.1]], [[1, 0], [0, 0]], 1)  # IoU 1
    metric.process(None, [first, second])
    found = metric.compute_metrics(metric.results)
    assert found["mIoU_0.5"] == pytest.approx(75)
    assert found["IoU_FG_0.5"] == pytest.approx(100 * 2 / 3)
    assert found["IoU_BIN_0.5"] == pytest.approx(100 * (2 / 3 + 4 / 5) / 2)
    assert 0 <= found["AP"] <= 100


def test_an_empty_phrase_that_nothing_is_found_of_is_right():
    metric = PhraseMaskMetric(at=(0.5,))
    metric.process(None, [sample([[0.1, 0.1]], [[0, 0]], 0)])
    assert metric.compute_metrics(metric.results)["mIoU_0.5"] == 100


def test_what_is_wrong_is_said():
    with pytest.raises(ValueError, match="thresholds are multiples"):
        PhraseMaskMetric(at=(0.33,))
    with pytest.raises(ValueError, match="phrase_prob"):
        PhraseMaskMetric().process(None, [dict()])
