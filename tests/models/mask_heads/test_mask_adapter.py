"""Mask-Adapter: weights of the maps, and pooling."""

import pytest
import torch

from ovdense.models.mask_heads.mask_adapter import MaskAdapter, activation_weights, pool_by_maps


def test_weights_are_sigmoids_that_sum_to_one():
    maps = torch.tensor([0.0, 1.0, -2.0, 3.0]).view(1, 1, 1, 2, 2)
    expected = maps.sigmoid().flatten() / maps.sigmoid().sum()
    torch.testing.assert_close(activation_weights(maps).flatten(), expected)


def test_pooling_is_the_weighted_mean():
    features = torch.tensor([[[[1.0, 3.0]]]])
    maps = torch.tensor([0.0, 50.0]).view(1, 1, 1, 1, 2)  # weights 1/3 and 2/3
    assert pool_by_maps(features, maps).item() == pytest.approx(7 / 3)


@torch.no_grad()
def test_maps_of_a_mask_do_not_depend_on_the_others():
    torch.manual_seed(0)
    model = MaskAdapter(clip_dim=8, width=12, num_maps=3).eval()
    dense, masks = torch.randn(2, 8, 5, 6), (torch.rand(2, 70, 20, 24) > 0.5).float()
    together = model(dense, masks)
    assert together.shape == (2, 70, 3, 5, 6)
    torch.testing.assert_close(model(dense[1:], masks[1:, 66:68]), together[1:, 66:68], atol=1e-5, rtol=1e-5)
    assert model(dense, masks[:, :0]).shape == (2, 0, 3, 5, 6)
