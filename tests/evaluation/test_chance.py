import math

import pytest

from ovdense.evaluation.chance import chance_ap50, chance_miou, chance_pq


def test_chance_by_hand():
    # two classes of half the area each: 1/4 hit of 1/2 + 1/2 - 1/4
    assert chance_miou([5, 5]) == pytest.approx(100 / 3)
    # shares 3/4 and 1/4: 3/8 of 7/8, 1/8 of 5/8
    assert chance_miou([3, 1]) == pytest.approx(100 * (3 / 7 + 1 / 5) / 2)
    # four classes, one absent: precision 1/3 at 26 of 101 recalls
    assert chance_ap50([2, 2, 2, 0]) == pytest.approx(100 / 3 * 26 / 101)
    # two classes of 2 segments: 1 hit, 1 false, 1 missed
    assert chance_pq([2, 2]) == pytest.approx(50)


def test_chance_over_some_classes():
    # as above: 3/7, 1/5 and 1/3 at 26 of 101 recalls
    assert [chance_miou([3, 1], [index]) for index in (0, 1)] == pytest.approx([300 / 7, 20])
    assert chance_ap50([2, 2, 2, 0], [1, 3]) == pytest.approx(100 / 3 * 26 / 101)
    # classes of 1 and 3 segments: 1/2 hit of (2 + 1) / 2, 3/2 of (2 + 3) / 2
    assert [chance_pq([1, 3], [index]) for index in (0, 1)] == pytest.approx([100 / 3, 60])
    assert math.isnan(chance_pq([1, 0], [1]))
