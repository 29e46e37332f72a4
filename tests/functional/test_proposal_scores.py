"""OVSeg's two classifiers and their ensemble, on numbers worked out by hand."""

import math

import pytest
import torch

from ovdense.functional.proposal_scores import (
    blend_masks,
    ensemble_proposals,
    keep_best_proposals,
    proposal_probabilities,
    void_cosine_logits,
)


def test_logits_are_scaled_cosines_and_void_is_the_last():
    embeddings, rows = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    logits = void_cosine_logits(embeddings, rows, torch.tensor([[0.0, 5.0]]), scale=10)
    torch.testing.assert_close(logits, torch.tensor([[10.0, 0.0], [10 / math.sqrt(2)] * 2]))


def test_void_takes_its_share_before_it_is_dropped():
    logits = torch.tensor([[0.0, 0.0, math.log(2.0)]])
    torch.testing.assert_close(proposal_probabilities(logits), torch.tensor([[0.25, 0.25]]))


def test_the_ensemble_is_a_geometric_mean_and_invalid_proposals_count_as_one():
    proposals = torch.tensor([[0.25, 0.5], [0.04, 0.09]])
    regions, valid = torch.tensor([[0.16, 0.84]]), torch.tensor([True, False])
    scores, kept = ensemble_proposals(proposals, regions, valid, 0.5)
    torch.testing.assert_close(scores, torch.tensor([[0.2, math.sqrt(0.42)], [0.2, 0.3]]))
    assert kept.tolist() == [0, 1]


def test_weight_0_means_the_regions_alone():
    proposals, regions = torch.rand(3, 2), torch.tensor([[0.1, 0.9]])
    scores, kept = ensemble_proposals(proposals, regions, torch.tensor([False, False, True]), 0.0)
    assert scores is regions and kept.tolist() == [2]
    scores, kept = ensemble_proposals(proposals, torch.zeros(0, 2), torch.zeros(3, dtype=torch.bool), 0.0)
    assert scores.shape == (0, 2) and kept.shape == (0,)
    assert blend_masks(scores, torch.zeros(0, 4, 5)).shape == (2, 4, 5)
    with pytest.raises(ValueError, match="1 regions for 2 valid"):
        ensemble_proposals(proposals, regions, torch.tensor([True, False, True]), 0.5)


def test_the_demo_keeps_whole_rows_of_the_best_proposals():
    scores = torch.tensor([[0.5, 0.1, 0.9], [0.3, 0.2, 0.1], [0.4, 0.0, 0.3]])
    assert keep_best_proposals(scores).tolist() == [*scores[:2].tolist(), [0, 0, 0]]
    assert keep_best_proposals(scores[:, 1:], ignored=1).tolist() == [[0, 0], scores[1, 1:].tolist(), [0, 0]]
    assert keep_best_proposals(torch.zeros(0, 3)).shape == (0, 3)
