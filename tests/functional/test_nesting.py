"""Nested regions against values worked out by hand."""

import torch

from ovdense.functional.nesting import best_of_each_class, drop_nested, shared_area

BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 2, 4, 4], [9, 0, 19, 10], [40, 40, 40, 40]])


def test_shared_area_is_over_the_smaller():
    shared = shared_area(BOXES)
    torch.testing.assert_close(shared[0], torch.tensor([1.0, 1.0, 0.1, 0.0]))
    assert shared.equal(shared.T)


def test_the_better_of_two_nested_regions_stays():
    shared = shared_area(BOXES)
    assert drop_nested(shared, torch.tensor([0, 0, 0, 0]), 0.5).tolist() == [0, 2, 3]
    assert drop_nested(shared, torch.tensor([0, 1, 0, 0]), 0.5).tolist() == [0, 1, 2, 3]
    assert drop_nested(shared, torch.tensor([0, 0, 0, 0]), 0.05).tolist() == [0, 3]
    # A dropped region drops nobody: the third is inside the second, which is gone.
    chain = torch.tensor([[1.0, 0.9, 0.0], [0.9, 1.0, 0.9], [0.0, 0.9, 1.0]])
    assert drop_nested(chain, torch.zeros(3), 0.5).tolist() == [0, 2]
    assert drop_nested(chain[:0, :0], torch.zeros(0), 0.5).tolist() == []


def test_regions_of_other_classes_have_a_limit_of_their_own():
    shared = shared_area(BOXES)
    assert drop_nested(shared, torch.tensor([0, 1, 0, 0]), 0.5, other_threshold=0.9).tolist() == [0, 2, 3]
    assert drop_nested(shared, torch.tensor([0, 0, 1, 0]), 0.5, other_threshold=0.05).tolist() == [0, 3]


def test_the_best_of_each_class():
    labels = torch.tensor([2, 2, 0, 2, 0, 1])
    assert best_of_each_class(labels, 1).tolist() == [0, 2, 5]
    assert best_of_each_class(labels, 2).tolist() == [0, 1, 2, 4, 5]
    assert best_of_each_class(labels[:0], 2).tolist() == []
