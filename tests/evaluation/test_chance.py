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
