"""Masks over a label map against the same masks written out."""

import pytest
import torch

from ovdense.functional.region_pooling import mask_coverage
from ovdense.structures import SegmentMasks

LABELS = torch.tensor([[0, 0, 1, 1], [0, 2, 2, 1]])
MEMBERS = torch.tensor([[True, False, False], [False, True, True], [True, True, True]])
MASKS = SegmentMasks(LABELS, MEMBERS)


def test_masks_are_unions_of_segments():
    expected = [[[1, 1, 0, 0], [1, 0, 0, 0]], [[0, 0, 1, 1], [0, 1, 1, 1]], [[1] * 4] * 2]
    assert MASKS.to_tensor(torch.int64).tolist() == expected
    assert len(MASKS) == 3 and MASKS.size == (2, 4)
    assert MASKS[torch.tensor([2, 0])].to_tensor(torch.int64).tolist() == [expected[2], expected[0]]
    assert len(MASKS[-1]) == len(MASKS[0]) == 1


def test_coverage_equals_that_of_plain_masks():
    labels = torch.arange(24).view(4, 6) % 5
    masks = SegmentMasks(labels, torch.rand(7, 5, generator=torch.Generator().manual_seed(0)) > 0.5)
    expected = mask_coverage(masks.to_tensor(), (2, 3), 2)
    torch.testing.assert_close(masks.coverage((2, 3), 2), expected)


def test_coverage_knows_scale_and_padding():
    # Label pixels of 8 x 8 input pixels, cells of 16 pixels, 16 pixels of padding at the left.
    masks = SegmentMasks(LABELS, MEMBERS, pixel=(8.0, 8.0))
    coverage = masks.coverage((1, 3), 16, origin=(16, 0))
    torch.testing.assert_close(coverage[0], torch.tensor([[0.0, 0.75, 0.0]]))


def test_resize():
    assert MASKS.resize((2, 4)).equal(MASKS.to_tensor())
    doubled = MASKS.resize((4, 8))
    assert doubled.shape == (3, 4, 8) and doubled[2].all()
    assert MASKS[:0].resize((4, 8)).shape == (0, 4, 8)


def test_shared_area_counts_pixels():
    # Segments of 3, 3 and 2 pixels: region 0 shares nothing with 1 and lies in 2.
    expected = torch.tensor([[1.0, 0, 1], [0, 1, 1], [1, 1, 1]])
    torch.testing.assert_close(MASKS.shared_area(), expected)


def test_regions_of_one_map_can_be_joined():
    joined = SegmentMasks.cat([MASKS[:1], MASKS[1:]])
    assert joined.to_tensor().equal(MASKS.to_tensor())
    with pytest.raises(ValueError, match="got 2 different maps"):
        SegmentMasks.cat([MASKS, SegmentMasks(LABELS.clone(), MEMBERS)])
