import itertools

import pytest

from ovdense.structures.palette import distinct_colors


@pytest.mark.parametrize("count", [0, 1, 150, 847, 1203, 10_000])
def test_colors_are_distinct_and_in_range(count):
    colors = distinct_colors(count)
    assert len(set(colors)) == len(colors) == count
    assert all(0 <= channel <= 255 for color in colors for channel in color)
    assert (0, 0, 0) not in colors


def test_a_longer_list_begins_with_the_shorter_one():
    assert distinct_colors(5000)[:20] == distinct_colors(20)


def test_colors_of_a_common_list_can_be_told_apart():
    distances = [
        sum((one - other) ** 2 for one, other in zip(*pair)) ** 0.5
        for pair in itertools.combinations(distinct_colors(150), 2)
    ]
    assert min(distances) > 30
