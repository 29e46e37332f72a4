"""OVSeg's ensemble and the demo's rule, on numbers worked out by hand."""

import math

import torch

from ovdense.functional.proposal_scores import (
    binary_semantic_labels,
    binary_semantic_scores,
    ensemble_proposals,
    keep_best_proposals,
)


def test_the_ensemble_is_a_geometric_mean_and_invalid_proposals_count_as_one():
    proposals, regions = torch.tensor([[0.25, 0.5], [0.04, 0.09]]), torch.tensor([[0.16, 0.84], [0.3, 0.7]])
    scores = ensemble_proposals(proposals, regions, torch.tensor([True, False]), 0.5)
    torch.testing.assert_close(scores, torch.tensor([[0.2, math.sqrt(0.42)], [0.2, 0.3]]))


def test_weight_0_means_the_regions_alone_and_nothing_of_invalid_proposals():
    proposals, regions = torch.rand(1, 3, 2), torch.tensor([[[0.1, 0.9], [0.2, 0.8], [0.5, 0.5]]])
    scores = ensemble_proposals(proposals, regions, torch.tensor([[False, True, False]]), 0.0)
    torch.testing.assert_close(scores, torch.tensor([[[0, 0], [0.2, 0.8], [0, 0]]]))


def test_the_demo_keeps_whole_rows_of_the_best_proposals():
    scores = torch.tensor([[0.5, 0.1, 0.9], [0.3, 0.2, 0.1], [0.4, 0.0, 0.3]])
    expected = scores.clone()
    expected[2] = 0
    torch.testing.assert_close(keep_best_proposals(scores), expected)
    two = torch.tensor([[0.1, 0.9], [0.2, 0.1]])  # the class at the end would choose the first proposal
    torch.testing.assert_close(keep_best_proposals(two, ignored=1), torch.tensor([[0, 0], [0.2, 0.1]]))
    assert keep_best_proposals(torch.zeros(0, 3)).shape == (0, 3)


def test_binary_masks_add_up():
    masks = torch.tensor([[[5.0, -5.0]], [[5.0, 0.0]]])
    scores = binary_semantic_scores(torch.tensor([[0.5], [0.25]]), masks, 0.4)
    torch.testing.assert_close(scores, torch.tensor([[[0.75, 0.25]]]))
    labels = binary_semantic_labels(torch.tensor([[0.5, 0.0], [0.0, 0.75]]), masks, 0.4)
    assert labels.tolist() == [[1, 1]]
    assert binary_semantic_labels(torch.zeros(0, 2), torch.zeros(0, 1, 2), 0.4).tolist() == [[0, 0]]
