"""Removal of specks, on label maps drawn by hand."""

import torch

from ovdense.models.segmentors.small_regions import drop_small_regions


def test_specks_take_the_label_around_them():
    labels = torch.tensor([[0, 0, 0, 1, 1], [0, 2, 0, 1, 1], [0, 0, 0, 1, 0]])
    expected = torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]])
    assert torch.equal(drop_small_regions(labels, 2), expected)


def test_neighbours_by_a_corner_are_not_connected():
    labels = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0]])
    assert torch.equal(drop_small_regions(labels, 2), torch.zeros(2, 4, dtype=torch.long))


def test_regions_of_just_the_size_stay():
    labels = torch.tensor([[0, 0, 0, 1], [0, 0, 0, 1]])
    assert torch.equal(drop_small_regions(labels, 2), labels)


def test_nothing_but_specks_stays():
    labels = torch.tensor([[0, 1], [1, 0]])
    assert torch.equal(drop_small_regions(labels, 2), labels)
