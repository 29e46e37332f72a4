"""Mask pooling: means worked out by hand, empty masks, resizing, gradients, half precision."""

import pytest
import torch

from ovdense.functional.mask_pooling import has_pixels, masks_on_grid, pool_masks

FEATURES = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 10.0], [20.0, 30.0]]]])


def test_the_mean_of_the_cells_above_zero():
    masks = torch.tensor([[[[1.0, -1.0], [0.5, -2.0]], [[-1.0, 0.0], [-1.0, 3.0]], [[-1.0, -1.0], [-1.0, 0.0]]]])
    expected = [[[2.0, 10.0], [4.0, 30.0], [0.0, 0.0]]]  # 0 is outside; the last owns nothing
    assert pool_masks(FEATURES, masks).tolist() == expected
    assert has_pixels(masks, (2, 2)).tolist() == [[True, True, False]]


def test_logits_are_resized_before_they_are_cut_at_zero():
    masks = torch.full((1, 1, 4, 4), -1.0)
    masks[..., :2, :2] = torch.tensor([[4.0, -1.0], [-1.0, -1.0]])  # mean 0.25: one binary cell of four
    assert masks_on_grid(masks, (2, 2)).tolist() == [[[[True, False], [False, False]]]]
    assert pool_masks(FEATURES, masks).tolist() == [[[1.0, 0.0]]]


def test_masks_give_no_gradient_and_features_do():
    features, masks = FEATURES.clone().requires_grad_(), torch.ones(1, 1, 2, 2, requires_grad=True)
    pool_masks(features, masks).sum().backward()
    assert masks.grad is None
    assert torch.equal(features.grad, torch.full_like(features, 0.25))


def test_half_precision_of_a_large_map_does_not_overflow():
    features = torch.full((1, 1, 300, 300), 2.0, dtype=torch.float16)
    pooled = pool_masks(features, torch.ones(1, 2, 300, 300, dtype=torch.float16))
    assert pooled.dtype == torch.float16 and pooled.tolist() == [[[2.0], [2.0]]]
    assert pool_masks(features, -torch.ones(1, 1, 300, 300, dtype=torch.float16)).tolist() == [[[0.0]]]


def test_images_of_a_batch_do_not_mix_and_bad_shapes_raise():
    features = torch.randn(2, 3, 4, 6)
    masks = torch.randn(2, 5, 8, 12)
    together = pool_masks(features, masks)
    for index in range(2):
        assert torch.allclose(together[index], pool_masks(features[index][None], masks[index][None])[0], atol=1e-6)
    with pytest.raises(ValueError, match=r"\(B, Q, H, W\), got \(5, 8, 12\)"):
        masks_on_grid(masks[0], (4, 6))
