"""Pseudo labels, by hand."""

import math

import torch

from ovdense.functional.pseudo_labels import (
    IGNORE,
    affinity_loss,
    affinity_truth,
    balanced_cross_entropy,
    box_cells,
    patch_affinity_of_layers,
    pixel_labels,
    refine_maps,
    transition,
)


def test_boxes_of_connected_parts():
    scores = torch.tensor([[1.0, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0, 0.95]])
    assert box_cells(scores, 0.8).int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert box_cells(scores, 0.97).sum() == 1


def test_layers_that_agree_with_what_was_learnt_are_taken():
    attention = torch.stack([torch.full((2, 2), 0.5), torch.eye(2) * 0.1])
    assert torch.equal(patch_affinity_of_layers(attention), attention.mean(0))
    learnt = torch.full((2, 2), 0.5)
    torch.testing.assert_close(patch_affinity_of_layers(attention, learnt), torch.full((2, 2), 0.25))


def test_maps_flow_along_affinities_and_are_stretched():
    walk = transition(torch.rand(6, 6, generator=torch.manual_seed(0)) + 0.1)
    torch.testing.assert_close(walk.sum(1), torch.ones(6), atol=0.05, rtol=0)
    torch.testing.assert_close(walk, walk.T, atol=1e-5, rtol=1e-4)
    pairs = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2)) + 1e-6
    maps = torch.tensor([[[1.0, 0.2, 0.1, 0.0]]])
    refined = refine_maps(maps, pairs)[0, 0]
    torch.testing.assert_close(refined, torch.tensor([1.0, 1.0, 0.0, 0.0]), atol=1e-3, rtol=0)
    assert refine_maps(maps[:0], pairs).shape == (0, 1, 4)


def test_the_background_is_what_no_map_claims():
    image = torch.zeros(3, 4, 8)
    maps = torch.zeros(1, 1, 2)
    maps[..., 1] = 1
    labels = pixel_labels(maps, torch.tensor([7]), image, background=0, num_iter=0)
    assert (labels[:, :3] == 0).all() and (labels[:, 5:] == 7).all()
    assert (pixel_labels(maps, torch.tensor([7]), image, None, num_iter=0) == 7).all()
    none = torch.zeros(0, dtype=torch.long)
    assert (pixel_labels(maps[:0], none, image, 0) == 0).all()
    assert (pixel_labels(maps[:0], none, image, None) == IGNORE).all()


def test_affinities_and_losses():
    labels = torch.tensor([[[0, 1], [1, IGNORE]]])
    truth = affinity_truth(labels, (2, 2))
    assert truth[0].tolist() == [[255, 0, 0, 255], [0, 255, 1, 255], [0, 1, 255, 255], [255] * 4]
    assert (affinity_truth(labels, (2, 2), radius=1)[0, 1, 2]) == 255
    perfect = (truth == 1).float()
    assert affinity_loss(perfect, truth) == 0
    assert math.isclose(float(affinity_loss(1 - perfect, truth)), (2 / 3 + 4 / 5) / 2, rel_tol=1e-5)
    logits = torch.zeros(1, 2, 2, 2)
    assert math.isclose(float(balanced_cross_entropy(logits, labels, 0)), math.log(2), rel_tol=1e-5)
    assert float(balanced_cross_entropy(logits, torch.full_like(labels, IGNORE), 0)) == 0
