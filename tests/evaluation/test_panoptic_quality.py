import numpy as np
import pytest

from ovdense.evaluation.panoptic_quality import PanopticQuality, count_segments, quality

VOID = 9


def count(predicted, ids, segments, classes=2):
    return count_segments(np.array(predicted), np.array(ids), segments, classes).tolist()


def segment(number, label, iscrowd=0):
    return dict(id=number, label=label, iscrowd=iscrowd)


def test_match_needs_more_than_half():
    # class 0: 3 of 4 pixels, IoU 3/4; class 1: IoU of 2 in 3, a match
    ids = [[1, 1, 1, 1, 2, 2]]
    predicted = [[0, 0, 0, 1, 1, 1]]
    expected = [[0.75, 1, 0, 0], [2 / 3, 1, 0, 0]]
    np.testing.assert_allclose(count(predicted, ids, [segment(1, 0), segment(2, 1)]), expected)
    assert count([[0, 0, VOID, VOID]], [[1, 1, 1, 1]], [segment(1, 0)]) == [[0, 0, 1, 1], [0] * 4]  # IoU of just 1/2


def test_void_leaves_the_union_and_excuses_segments():
    # the union does not count the two void pixels of the prediction
    assert count([[0, 0, 0, 0]], [[1, 1, 0, 0]], [segment(1, 0)])[0] == [1, 1, 0, 0]
    # a prediction by 2/3 in void is no error, one by just half is
    assert count([[1, 1, 1]], [[0, 0, 1]], [segment(1, 0)]) == [[0, 0, 0, 1], [0, 0, 0, 0]]
    assert count([[1, 1]], [[0, 1]], [segment(1, 0)]) == [[0, 0, 0, 1], [0, 0, 1, 0]]


def test_crowds_need_not_be_found_and_excuse_their_class():
    crowd = [segment(1, 0, iscrowd=1)]
    assert count([[VOID, VOID]], [[1, 1]], crowd) == [[0] * 4, [0] * 4]
    assert count([[0, 0]], [[1, 1]], crowd) == [[0] * 4, [0] * 4]
    assert count([[1, 1]], [[1, 1]], crowd) == [[0] * 4, [0, 0, 1, 0]]


def test_two_instances_of_a_class():
    ids, predicted = [[1, 1, 2, 2]], [[0, 0, 1000, 1000]]
    assert count(predicted, ids, [segment(1, 0), segment(2, 0)])[0] == [2, 2, 0, 0]


def test_quality_by_hand():
    # class 0: IoU sum 1.5 over 2 hits, 1 false, 1 missed: PQ 1.5/3, SQ 0.75, RQ 2/3; class 1: missed; class 2: absent
    result = quality(np.array([[1.5, 2, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]))
    assert result == pytest.approx(dict(PQ=25, SQ=37.5, RQ=100 / 3))


def test_figures_class_by_class():
    metric = PanopticQuality(groups=("thing", "novel"))
    metric.dataset_meta = dict(classes=["cat", "sky", "bus"], groups=dict(thing=[0, 2], novel=[2]))
    metric.compute_metrics([np.array([[1.5, 2, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]])])
    first, second, third = metric.class_table["PQ"]
    assert first == dict(
        name="cat", group="thing", PQ=50, SQ=75, RQ=pytest.approx(200 / 3), matched=2, surplus=1, missed=1
    )
    assert second["PQ"] == 0 and second["missed"] == 1 and second["group"] == ""
    assert np.isnan(third["PQ"]) and third["group"] == "thing novel"
