"""Region pooling against values worked out by hand."""

import pytest
import torch

from ovdense.functional.region_pooling import (
    box_coverage,
    clip_boxes,
    crop_faded,
    crop_regions,
    grow_boxes,
    mask_coverage,
    pool_regions,
    resize_masks,
)


def test_box_coverage_counts_shares_of_cells():
    # 16-pixel cells; the box covers the right half of the first column and a quarter of the second row.
    coverage = box_coverage(torch.tensor([[8.0, 0, 32, 20]]), (2, 3), 16)
    torch.testing.assert_close(coverage[0], torch.tensor([[0.5, 1, 0], [0.125, 0.25, 0]]))
    shifted = box_coverage(torch.tensor([[0.0, 0, 16, 16]]), (2, 2), 16, origin=(8, 8))
    torch.testing.assert_close(shifted[0], torch.full((2, 2), 0.25))
    assert box_coverage(torch.tensor([[40.0, 40, 50, 50]]), (2, 2), 16).sum() == 0


def test_mask_coverage_agrees_with_boxes():
    mask = torch.zeros(1, 30, 40, dtype=torch.bool)
    mask[0, 4:20, 8:32] = True
    for origin in ((0, 0), (4, 1)):
        expected = box_coverage(torch.tensor([[8.0, 4, 32, 20]]), (2, 3), 16, origin)
        torch.testing.assert_close(mask_coverage(mask, (2, 3), 16, origin), expected)
    assert mask_coverage(mask[:0], (2, 3), 16).shape == (0, 2, 3)


def test_pool_regions_is_a_weighted_mean():
    features = torch.tensor([[[1.0, 2], [3, 4]], [[10, 20], [30, 40]]])
    coverage = torch.tensor([[[1.0, 1], [0, 0]], [[0, 0], [0.25, 0.75]], [[0, 0], [0, 0]]])
    expected = torch.tensor([[1.5, 15], [3.75, 37.5], [0, 0]])
    torch.testing.assert_close(pool_regions(features, coverage), expected)
    with pytest.raises(ValueError, match=r"got \(3, 2\)"):
        pool_regions(features, torch.ones(1, 3, 2))


def test_boxes_grow_about_their_centre_and_are_cut_to_the_image():
    boxes = torch.tensor([[10.0, 20, 30, 24]])
    assert grow_boxes(boxes, 2).tolist() == [[0, 18, 40, 26]]
    assert grow_boxes(boxes, 1.5, square=True).tolist() == [[5, 7, 35, 37]]
    assert clip_boxes(torch.tensor([[-5.0, -1, 50, 8]]), (6, 40)).tolist() == [[0, 0, 40, 6]]


def test_crops_repeat_the_edge_of_the_image():
    image = torch.arange(16.0).view(1, 4, 4)
    crops = crop_regions(image, torch.tensor([[0.0, 0, 4, 4], [2, 2, 4, 4], [3, 3, 5, 5]]), 2)
    assert crops.shape == (3, 1, 2, 2)
    assert crops[1, 0].tolist() == [[10, 11], [14, 15]]
    assert crops[2, 0].tolist() == [[15, 15], [15, 15]]
    torch.testing.assert_close(crops[0].mean(), image.mean())
    assert crop_regions(image, torch.zeros(0, 4), (3, 5)).shape == (0, 1, 3, 5)


def test_masks_are_resized_at_one_half():
    mask = torch.tensor([[[1, 1, 0, 0], [1, 1, 0, 0]]], dtype=torch.bool)
    assert resize_masks(mask, (1, 2)).tolist() == [[[True, False]]]
    assert resize_masks(mask, (2, 4)).equal(mask)
    assert resize_masks(mask[:0], (5, 6)).shape == (0, 5, 6)


def test_crops_fade_outside_their_mask():
    image = torch.full((1, 2, 2), 4.0)
    masks = torch.tensor([[[True, False], [True, True]], [[False, False], [False, True]]])
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0]] * 2)
    assert crop_faded(image, boxes, masks, 2, 0.25)[:, 0].tolist() == [[[4, 3], [4, 4]], [[3, 3], [3, 4]]]
    assert crop_faded(image, boxes[:0], masks[:0], 2, 0.25).shape == (0, 1, 2, 2)
