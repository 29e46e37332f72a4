"""Region maps on grids, merging and scope, on examples worked out by hand."""

import pytest
import torch

from ovdense.functional.region_scope import (
    connected_parts,
    merge_regions,
    region_members,
    resize_regions,
    scope_weights,
)


def test_ids_are_read_at_the_centre_or_the_corner_of_a_cell():
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert resize_regions(ids, (1, 2)).tolist() == [[6, 8]]
    assert resize_regions(ids, (1, 2), "corner").tolist() == [[1, 3]]
    assert resize_regions(ids, (2, 8))[0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]


def test_large_ids_keep_their_last_digit():
    ids = torch.tensor([[2**32 - 1, 2**32 - 2]])
    assert resize_regions(ids, (1, 4)).tolist() == [[2**32 - 1] * 2 + [2**32 - 2] * 2]


def test_an_unknown_sampling_is_refused():
    with pytest.raises(ValueError, match=r"sampling must be one of .*'mean'"):
        resize_regions(torch.zeros(2, 2), (1, 1), "mean")


def test_connected_parts_pass_likeness_on():
    linked = torch.zeros(6, 6, dtype=torch.bool)
    for a, b in ((0, 4), (4, 2), (2, 5)):
        linked[a, b] = linked[b, a] = True
    assert connected_parts(linked).tolist() == [0, 1, 0, 2, 0, 0]


def test_connected_parts_of_a_long_chain():
    linked = torch.diag(torch.ones(99, dtype=torch.bool), 1)
    order = torch.randperm(100)
    assert connected_parts((linked | linked.T)[order][:, order]).unique().tolist() == [0]


def directions(degrees):
    """(1, 2, 1, n) unit vectors."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([angle.cos(), angle.sin()])[None, :, None]


def test_regions_that_look_alike_become_one():
    """1 - cos: 0.13 at 30 degrees, 0.23 at 40; 9 and 7 meet through 5."""
    ids = torch.tensor([[[9, 5, 7, 0, 3, -1]]])
    merged = merge_regions(ids, directions([0.0, 30.0, 60.0, 0.0, 110.0, 0.0]), eps=0.2)
    assert merged.tolist() == [[[2, 2, 2, 0, 1, -1]]]
    apart = merge_regions(ids, directions([0.0, 40.0, 80.0, 0.0, 120.0, 0.0]), eps=0.2)
    assert apart.tolist() == [[[4, 2, 3, 0, 1, -1]]]
    assert merge_regions(ids, directions([0.0] * 6), eps=None).tolist() == [[[4, 2, 3, 0, 1, -1]]]


def test_the_official_code_takes_the_lowest_id_for_no_region_and_padding_for_one():
    ids = torch.tensor([[[4, 4, 6, -1]]])
    features = directions([0.0, 0.0, 90.0, 180.0])
    assert merge_regions(ids, features, unsegmented="smallest").tolist() == [[[0, 0, 1, 2]]]
    assert merge_regions(ids, features).tolist() == [[[1, 1, 2, -1]]]


def test_every_image_of_a_batch_is_merged_by_itself():
    ids = torch.tensor([[[1, 2, 3]], [[7, 7, 0]]])
    features = torch.cat([directions([0.0, 10.0, 90.0]), directions([0.0, 50.0, 90.0])])
    assert merge_regions(ids, features).tolist() == [[[1, 1, 2]], [[1, 1, 0]]]


def test_scope_by_hand():
    """Cells: region 1, region 1, no region, padding; the mean over the first three is 4.6 / 9."""
    affinity = torch.tensor(
        [[[1.0, 0.2, 0.6, 0.9], [0.2, 1.0, 0.0, 0.9], [0.6, 0.0, 1.0, 0.9], [0.9, 0.9, 0.9, 1.0]]], dtype=torch.float64
    )
    weights = scope_weights(affinity, torch.tensor([[[1, 1, 0, -1]]]), temperature=2.0)[0]

    def softmax(*values):
        return (torch.tensor(values, dtype=torch.float64) * 2).softmax(0).tolist()

    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[0, :3] = torch.tensor(softmax(1.0, 0.2, 0.6))
    expected[1, :2] = torch.tensor(softmax(0.2, 1.0))
    expected[2, [0, 2]] = torch.tensor(softmax(0.6, 1.0), dtype=torch.float64)
    expected[3, 3] = 1
    torch.testing.assert_close(weights, expected)


def test_a_picture_of_one_colour_attends_to_itself():
    weights = scope_weights(torch.ones(1, 3, 3), torch.zeros(1, 1, 3, dtype=torch.long))
    assert weights.isfinite().all() and torch.allclose(weights.sum(-1), torch.ones(1, 3))


def test_regions_must_lie_on_the_grid():
    with pytest.raises(ValueError, match="do not lie on the grid"):
        scope_weights(torch.ones(1, 4, 4), torch.zeros(1, 1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="do not lie on the grid"):
        merge_regions(torch.zeros(1, 1, 3, dtype=torch.long), torch.ones(1, 2, 3, 1))


def test_members_of_a_batch_have_empty_rows_at_the_end():
    members, index = region_members(torch.tensor([[[0, 3, 3]], [[2, 2, 2]]]))
    assert index.tolist() == [[[0, 1, 1]], [[0, 0, 0]]]
    assert members.int().tolist() == [[[1, 0, 0], [0, 1, 1]], [[1, 1, 1], [0, 0, 0]]]
