"""Position tables: the four ways of resizing, and when nothing is resized."""

import math

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.position import POSITION_MODES, resize_position_table

MODES = sorted(POSITION_MODES)


def ramp(rows, columns):
    """A table whose single channel counts the columns; one class row of -1."""
    cells = torch.arange(columns, dtype=torch.float32).repeat(rows)
    return torch.cat([torch.tensor([-1.0]), cells])[:, None]


@pytest.mark.parametrize("mode", MODES)
def test_own_grid_is_left_alone(mode):
    table = torch.randn(17, 8)
    assert resize_position_table(table, (4, 4), mode) is table


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("grid", [(1, 1), (2, 7), (5, 3), (9, 9)])
def test_shape_class_row_and_constant_tables(mode, grid):
    table = torch.cat([torch.full((1, 3), 5.0), torch.full((16, 3), 2.0)])
    resized = resize_position_table(table, grid, mode)
    assert resized.shape == (1 + grid[0] * grid[1], 3)
    assert (resized[0] == 5).all()
    torch.testing.assert_close(resized[1:], torch.full_like(resized[1:], 2.0))


def test_bilinear_by_hand():
    resized = resize_position_table(ramp(2, 2), (2, 4), "bilinear").flatten()
    assert resized.tolist() == [-1, 0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1]


def cubic(row, place):
    """Keys' cubic convolution (a = -0.75) of a row at one place, away from its ends."""
    first = math.floor(place) - 1
    weights = []
    for index in range(first, first + 4):
        x = abs(place - index)
        weights.append(1.25 * x**3 - 2.25 * x**2 + 1 if x <= 1 else -0.75 * (x**3 - 5 * x**2 + 8 * x - 4))
    return sum(weight * row[first + offset] for offset, weight in enumerate(weights))


@pytest.mark.parametrize(("mode", "spacing"), [("sclip", 8 / 12.1), ("mmseg", 8 / 12)])
def test_spacing_of_the_samples(mode, spacing):
    """Sample i lies at (i + 0.5) * spacing - 0.5: 8 / 12.1 cells apart in SCLIP, not 8 / 12."""
    row = torch.randn(8)
    table = torch.cat([torch.zeros(1), row.repeat(8)])[:, None]
    resized = resize_position_table(table, (8, 12), mode)[1:].reshape(8, 12)
    for column in (3, 6, 8):
        assert float(resized[4, column]) == pytest.approx(cubic(row.tolist(), (column + 0.5) * spacing - 0.5), abs=1e-5)


def test_gem_smooths_when_it_shrinks():
    table = torch.cat([torch.zeros(1, 1), (torch.arange(64) % 2).float()[:, None]])  # columns 0 1 0 1 ...
    smooth = resize_position_table(table, (8, 3), "gem")[1:]
    rough = resize_position_table(table, (8, 3), "mmseg")[1:]
    assert (smooth - 0.5).abs().max() < (rough - 0.5).abs().max() / 2


def test_gem_is_torch_with_antialias():
    table = torch.randn(50, 4)
    expected = F.interpolate(table[1:].T.reshape(1, 4, 7, 7), size=(3, 5), mode="bicubic", antialias=True)
    torch.testing.assert_close(resize_position_table(table, (3, 5), "gem")[1:], expected[0].flatten(1).T)


@pytest.mark.parametrize("mode", MODES)
def test_rows_and_columns_are_not_swapped(mode):
    resized = resize_position_table(ramp(4, 4), (2, 6), mode)[1:].reshape(2, 6)
    torch.testing.assert_close(resized[0], resized[1], atol=1e-4, rtol=0)
    assert (resized[0].diff() > 0).all()


def test_modes_differ():
    table = torch.randn(17, 4)
    results = [resize_position_table(table, (5, 7), mode) for mode in MODES]
    for index, first in enumerate(results):
        assert all((first - second).abs().max() > 1e-3 for second in results[index + 1 :])


def test_equal_counts_are_a_quirk_of_the_official_code():
    table = torch.randn(17, 4)
    assert resize_position_table(table, (2, 8), official_quirks=True) is table
    assert not torch.equal(resize_position_table(table, (2, 8)), table)


def test_tables_without_class_row_with_registers_and_not_square():
    assert resize_position_table(torch.randn(16, 4), (2, 2), prefix=0).shape == (4, 4)
    table = torch.randn(5 + 6, 4)
    resized = resize_position_table(table, (4, 4), prefix=5, table_grid=(2, 3))
    assert resized.shape == (21, 4) and torch.equal(resized[:5], table[:5])


def test_half_precision_tables_keep_their_type():
    table = torch.randn(17, 4)
    resized = resize_position_table(table.bfloat16(), (5, 7), "gem")
    assert resized.dtype == torch.bfloat16
    torch.testing.assert_close(resized.float(), resize_position_table(table, (5, 7), "gem"), atol=0.05, rtol=0.05)


def test_errors_name_what_came():
    with pytest.raises(ValueError, match=r"bilinear.*got 'nearest'"):
        resize_position_table(torch.randn(17, 4), (2, 2), "nearest")
    with pytest.raises(ValueError, match=r"18 rows.*table_grid"):
        resize_position_table(torch.randn(18, 4), (2, 2))
