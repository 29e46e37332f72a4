"""Grouping on a picture small enough to follow by hand."""

import numpy as np

from ovdense.functional.grouping import group_segments, neighbors, segment_boxes, segment_features

# Four columns of two pixels: a and b have one colour, c and d another.
LABELS = np.array([[0, 1, 2, 3], [0, 1, 2, 3]])
IMAGE = np.repeat(np.array([0.1, 0.1, 0.9, 0.9]), 3).reshape(1, 4, 3).repeat(2, axis=0)


def test_neighbors_and_boxes():
    assert neighbors(LABELS).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert segment_boxes(LABELS, 4).tolist() == [[0, 0, 1, 2], [1, 0, 2, 2], [2, 0, 3, 2], [3, 0, 4, 2]]


def test_features_of_segments():
    dense = np.array([[[0.0, 1.0]], [[2.0, 4.0]]])  # two channels on a 1 x 2 grid
    features = segment_features(LABELS, IMAGE, dense)
    assert features["size"].tolist() == [0.25] * 4
    assert np.allclose(features["deep"], [[0, 2], [0, 2], [1, 4], [1, 4]])
    assert np.allclose(features["color"].sum(axis=1), 1)
    assert np.array_equal(features["color"][0], features["color"][1])


def test_like_colours_merge_first():
    features = segment_features(LABELS, IMAGE, np.ones((1, 1, 2)))
    members, boxes = group_segments(features, LABELS.size)
    assert len(members) == 7
    assert members[:4].tolist() == np.eye(4, dtype=bool).tolist()
    assert {tuple(np.flatnonzero(row)) for row in members[4:]} == {(0, 1), (2, 3), (0, 1, 2, 3)}
    assert boxes[-1].tolist() == [0, 0, 4, 2]
    for row, box in zip(members, boxes):
        columns = np.flatnonzero(row)
        assert box.tolist() == [columns[0], 0, columns[-1] + 1, 2]


def test_meaning_decides_where_colour_is_blind():
    dense = np.zeros((2, 1, 4))
    dense[0, 0, :3] = dense[1, 0, 3] = 1  # the last column means something else
    features = segment_features(LABELS, np.full_like(IMAGE, 0.5), dense)
    members, _ = group_segments(features, LABELS.size, (0.0, 1.0, 0.0, 0.0))
    assert (0, 1, 2) in {tuple(np.flatnonzero(row)) for row in members}


def test_one_segment_is_one_region():
    labels = np.zeros((3, 3), int)
    features = segment_features(labels, np.zeros((3, 3, 3)), np.ones((1, 1, 1)))
    members, boxes = group_segments(features, 9)
    assert members.tolist() == [[True]] and boxes.tolist() == [[0, 0, 3, 3]]
