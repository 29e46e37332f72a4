"""Scores of regions against values worked out by hand."""

import math

import pytest
import torch

from ovdense.functional.fusion import activate, calibrate_scores, fuse_by_group, geometric_mean, region_similarity

REGIONS = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
ROWS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])


def test_cosine_takes_the_best_phrase_of_a_class():
    similarity = region_similarity(REGIONS, ROWS, torch.tensor([0, 1, 0]), 2)
    torch.testing.assert_close(similarity, torch.tensor([[0.96, 0.8], [0.6, 1.0]]))
    chunked = region_similarity(REGIONS, ROWS, torch.tensor([0, 1, 0]), 2, chunk=1)
    torch.testing.assert_close(chunked, similarity)


def test_posterior_is_the_mass_on_the_row():
    regions = torch.tensor([[0.5, 0.3, 0.2]])
    rows = torch.tensor([[0.6, 0.6, 0.0], [0.0, 0.3, 0.6]])
    similarity = region_similarity(regions, rows, torch.tensor([0, 1]), 2, "posterior")
    torch.testing.assert_close(similarity, torch.tensor([[0.8, 0.35]]))


def test_widths_and_kinds_are_checked():
    with pytest.raises(ValueError, match="3 channels but the regions have 2"):
        region_similarity(REGIONS, torch.ones(1, 3), torch.tensor([0]), 1)
    with pytest.raises(ValueError, match="got 'dot'"):
        region_similarity(REGIONS, ROWS, torch.tensor([0, 1, 2]), 3, "dot")
    assert region_similarity(REGIONS[:0], ROWS, torch.tensor([0, 1, 2]), 3).shape == (0, 3)


def test_activations():
    values = torch.tensor([[0.0, math.log(3) / 10]])
    torch.testing.assert_close(activate(values, "softmax", 10.0), torch.tensor([[0.25, 0.75]]))
    torch.testing.assert_close(activate(values, "sigmoid", 10.0), torch.tensor([[0.5, 0.75]]))
    assert activate(torch.tensor([[-1.0, 0.5]]), "none", 10.0).tolist() == [[0.0, 0.5]]
    with pytest.raises(ValueError, match="got 'relu'"):
        activate(values, "relu", 1.0)


def test_geometric_mean():
    a, b = torch.tensor([0.25]), torch.tensor([0.64])
    torch.testing.assert_close(geometric_mean(a, b, 0.5), torch.tensor([0.4]))
    assert geometric_mean(a, b, 0.0).equal(a) and geometric_mean(a, b, 1.0).equal(b)
    with pytest.raises(ValueError, match=r"got 1\.5"):
        geometric_mean(a, b, 1.5)


def test_calibrated_scores_rise_through_one_half_at_the_midpoint():
    # slope 2, midpoint 0.2: 0.1^2 / (0.1^2 + 0.2^2) = 0.2, and 0.6^2 / (0.6^2 + 0.2^2) = 0.9
    scores = calibrate_scores(torch.tensor([0.0, 0.1, 0.2, 0.6]), midpoint=0.2, slope=2.0)
    torch.testing.assert_close(scores, torch.tensor([0.0, 0.2, 0.5, 0.9]))
    with pytest.raises(ValueError, match=r"got 0\.0 and 2"):
        calibrate_scores(scores, midpoint=0.0, slope=2.0)


def test_groups_are_fused_by_their_own_weights():
    first, second = torch.tensor([[0.25, 0.25, 0.5]]), torch.tensor([[0.64, 0.64, 0.5]])
    fused = fuse_by_group(first, second, torch.tensor([True, False, True]), 0.5, 1.0)
    torch.testing.assert_close(fused, torch.tensor([[0.4, 0.64, 0.5]]))
    with pytest.raises(ValueError, match=r"the novel weight of a fusion is in \[0, 1\], got 2"):
        fuse_by_group(first, second, torch.tensor([True, False, True]), 0.5, 2)
    with pytest.raises(ValueError, match="the same columns"):
        fuse_by_group(first, second, torch.tensor([True, False]), 0.5, 0.5)
