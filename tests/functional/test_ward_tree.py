"""Ward's rule by hand."""

import numpy as np

from ovdense.functional.ward_tree import cut, grid_neighbours, node_masks, ward_merges


def test_the_cheapest_pairs_merge_first():
    rows = np.array([[0.0], [1.0], [10.0], [12.0]])
    merges = ward_merges(rows)
    assert [tuple(sorted(pair)) for pair in merges] == [(0, 1), (2, 3), (4, 5)]
    assert cut(merges, 4, 2).tolist() == [0, 0, 1, 1] and cut(merges, 4, 4).tolist() == [0, 1, 2, 3]
    assert cut(merges, 4, 9).tolist() == [0, 1, 2, 3] and cut(merges, 4, 1).tolist() == [0, 0, 0, 0]
    members = node_masks(merges, 4)
    assert members.shape == (7, 4) and members[4:].astype(int).tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]


def test_only_neighbours_merge_where_that_is_asked():
    rows = np.array([[0.0], [9.0], [0.0], [9.0]])  # a grid of 1 x 4: the like ones do not touch
    merges = ward_merges(rows, pairs=grid_neighbours((1, 4)))
    assert all(abs(a - b) == 1 for a, b in merges[:1]) and len(merges) == 3
    apart = ward_merges(rows, pairs=np.array([[0, 2]]))
    assert [tuple(sorted(pair)) for pair in apart] == [(0, 2)]
    assert len(cut(apart, 4, 1)) == 4 and cut(apart, 4, 1).max() == 2


def test_large_parts_are_dear():
    rows = np.array([[0.0], [1.0], [2.1]])
    assert sorted(ward_merges(rows, np.array([1.0, 1.0, 1.0]))[0]) == [0, 1]
    assert sorted(ward_merges(rows, np.array([100.0, 1.0, 0.1]))[0]) == [1, 2]


def test_a_grids_pairs():
    assert sorted(map(tuple, grid_neighbours((2, 2)).tolist())) == [(0, 1), (0, 2), (1, 3), (2, 3)]
