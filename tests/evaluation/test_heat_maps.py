"""KLD, SIM and NSS worked out by hand."""

import math

import numpy as np
import pytest
import torch

from ovdense.evaluation.heat_maps import HeatMapMetric, kl_divergence, scanpath_saliency, similarity

TRUTH = np.array([[1.0, 3.0], [0.0, 0.0]])
FOUND = np.array([[2.0, 2.0], [0.0, 4.0]])


def test_measures_by_hand():
    # truth/4 = .25 .75 0 0; found/8 = .25 .25 0 .5
    assert kl_divergence(FOUND, TRUTH) == pytest.approx(0.75 * math.log(3), abs=1e-9)
    assert similarity(FOUND, TRUTH) == pytest.approx(0.5)
    # mean 2, standard deviation sqrt(2); the truth is above 0.1 in the first row: (0 + 0) / 2
    assert scanpath_saliency(FOUND, TRUTH) == pytest.approx(0.0)
    assert scanpath_saliency(FOUND[::-1], TRUTH) == pytest.approx((-2 + 2) / 2 / math.sqrt(2))
    assert scanpath_saliency(TRUTH, TRUTH) == pytest.approx((0 + 2) / 2 / math.sqrt(1.5))
    assert kl_divergence(TRUTH, TRUTH) == pytest.approx(0, abs=1e-9) and similarity(TRUTH, TRUTH) == pytest.approx(1)


def test_metric_is_the_mean_over_pictures_with_heat():
    metric = HeatMapMetric(size=2)
    pairs = [(FOUND, TRUTH), (TRUTH, TRUTH), (FOUND, np.zeros((2, 2)))]
    for found, truth in pairs:
        data = {
            key: dict(data=torch.tensor(value)[None])
            for key, value in (("pred_heat_map", found + 7), ("gt_heat_map", truth))
        }
        metric.process({}, [data])
    scores = metric.compute_metrics(metric.results)
    nss = (0 + 1 / math.sqrt(1.5)) / 2
    assert scores == dict(KLD=round(0.375 * math.log(3), 4), SIM=0.75, NSS=round(nss, 4))
    assert math.isnan(HeatMapMetric().compute_metrics([])["KLD"])
