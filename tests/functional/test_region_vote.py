"""Painting masks and the majority vote, by hand and against torch.mode."""

import pytest
import torch

from ovdense.functional.region_vote import majority_vote, paint_masks


def test_most_frequent_label_and_the_lowest_of_ties():
    ids = torch.tensor([[0, 0, 2, 2, 2], [9, 9, 9, 9, 2]])
    labels = torch.tensor([[5, 6, 1, 3, 3], [4, 2, 2, 4, 1]])
    assert majority_vote(labels, ids).tolist() == [[5, 6, 1, 1, 1], [2, 2, 2, 2, 1]]


def test_the_lowest_id_may_keep_its_labels():
    labels, ids = torch.tensor([[1, 2, 2, 3, 3, 0]]), torch.tensor([[4, 4, 4, 8, 8, 8]])
    assert majority_vote(labels, ids, "smallest").tolist() == [[1, 2, 2, 3, 3, 3]]
    assert majority_vote(labels, ids).tolist() == [[2, 2, 2, 3, 3, 3]]


def test_equal_to_a_loop_over_regions():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(-1, 400, (60, 70), generator=generator) * 10_000_019
    labels = torch.randint(0, 1203, (60, 70), generator=generator, dtype=torch.int32) // 300
    expected = labels.clone()
    for value in ids[ids > 0].unique():
        expected[ids == value] = labels[ids == value].mode().values
    voted = majority_vote(labels, ids)
    assert voted.dtype == torch.int32 and torch.equal(voted, expected) and not torch.equal(voted, labels)


def test_without_regions_nothing_changes():
    labels = torch.randint(0, 5, (4, 4))
    assert torch.equal(majority_vote(labels, torch.zeros(4, 4, dtype=torch.long)), labels)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"labels are \(2, 2\) but the regions are \(2, 3\)"):
        majority_vote(torch.zeros(2, 2), torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [("largest", [2, 2, 2, 2, 0]), ("smallest", [1, 1, 2, 3, 0]), ("first", [1, 1, 2, 2, 0])],
)
def test_who_keeps_a_shared_pixel(overlap, expected):
    masks = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 0, 0, 1, 0]]).bool()[:, None]
    assert paint_masks(iter(masks), (1, 5), torch.tensor([2, 4, 1]), overlap).tolist() == [expected]


def test_masks_must_be_of_the_pictures_size():
    with pytest.raises(ValueError, match="mask 0 is"):
        paint_masks([torch.ones(2, 2)], (2, 3), torch.tensor([4]))
