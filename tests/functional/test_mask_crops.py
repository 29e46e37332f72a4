"""Masked crops, their boxes and what stands outside of the mask."""

import pytest
import torch

from ovdense.functional.mask_crops import expand_boxes, iterate_mask_crops, mask_crops, valid_masks


def test_a_crop_at_its_own_size_is_the_picture_inside_and_the_colour_outside():
    image = torch.arange(3 * 5 * 6, dtype=torch.float32).view(3, 5, 6)
    mask = torch.zeros(1, 5, 6, dtype=torch.bool)
    mask[0, 1, 2] = mask[0, 1, 3] = mask[0, 2, 3] = True  # box x 2..4, y 1..3
    crops, shown = mask_crops(image, mask, (2, 2), fill=(-1.0, -2.0, -3.0))
    assert shown[0, 0].tolist() == [[True, True], [False, True]]
    assert crops[0, 0].tolist() == [[8, 9], [-1, 15]]
    assert crops[0, 2].tolist() == [[68, 69], [-3, 75]]


def test_boxes_grow_about_their_centre_cut_to_whole_pixels_of_the_picture():
    boxes = torch.tensor([[4.0, 4.0, 8.0, 9.0], [0.0, 1.0, 3.0, 3.0]])
    assert expand_boxes(boxes, 1.0, (12, 10)).tolist() == [[4, 4, 8, 9], [0, 1, 3, 3]]
    assert expand_boxes(boxes, 1.5, (12, 10)).tolist() == [[3, 2, 9, 10], [0, 0, 3, 3]]
    with pytest.raises(ValueError, match="at least 1"):
        expand_boxes(boxes, 0.5, (12, 10))


def test_proportions_are_given_up_and_chunks_change_nothing():
    torch.manual_seed(0)
    image, masks = torch.randn(3, 20, 31), torch.rand(7, 20, 31) > 0.97
    masks[:, 3, 4] = True
    crops, shown = mask_crops(image, masks, (8, 12))
    assert crops.shape == (7, 3, 8, 12) and shown.shape == (7, 1, 8, 12) and shown.dtype == torch.bool
    parts = list(iterate_mask_crops(image, masks, (8, 12), chunk=3))
    assert [len(part[0]) for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part[0] for part in parts]), crops)


def test_no_masks_empty_masks_and_other_sizes():
    image = torch.zeros(3, 4, 4)
    assert valid_masks(torch.tensor([[[1, 0]], [[0, 0]]]).bool()).tolist() == [True, False]
    assert valid_masks(torch.zeros(0, 4, 4)).shape == (0,)
    crops, shown = mask_crops(image, torch.zeros(0, 4, 4), 8)
    assert crops.shape == (0, 3, 8, 8) and shown.shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="without a pixel"):
        mask_crops(image, torch.zeros(1, 4, 4, dtype=torch.bool), 8)
    with pytest.raises(ValueError, match=r"\(R, 4, 4\)"):
        mask_crops(image, torch.ones(1, 4, 5, dtype=torch.bool), 8)
