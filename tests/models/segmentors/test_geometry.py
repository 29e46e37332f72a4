import pytest
import torch
import torch.nn.functional as F

from ovdense.models.segmentors.encoded_images import window_starts
from ovdense.models.segmentors.geometry import Axis, axis_matrix, join_windows


def sliding_reference(grids, size, crop, starts, padding, out):
    """The plain way: upsample each window, cut its padding, add, divide by the count, resize."""
    left, top, right, bottom = padding
    canvas = torch.zeros(1, grids.shape[1], *size)
    count = torch.zeros(1, 1, *size)
    places = [(y, x) for y in starts[0] for x in starts[1]]
    for grid, (y, x) in zip(grids, places):
        padded = (crop[0] + top + bottom, crop[1] + left + right)
        full = F.interpolate(grid[None], size=padded, mode="bilinear")
        canvas[..., y : y + crop[0], x : x + crop[1]] += full[..., top : top + crop[0], left : left + crop[1]]
        count[..., y : y + crop[0], x : x + crop[1]] += 1
    return F.interpolate(canvas / count, size=out, mode="bilinear")[0]


@pytest.mark.parametrize(
    ("size", "crop", "stride", "padding", "out"),
    [
        ((112, 160), (64, 64), (32, 32), (0, 0, 0, 0), (100, 150)),
        ((104, 150), (64, 64), (32, 32), (5, 3, 4, 2), (100, 140)),
        ((40, 50), (40, 50), (40, 50), (0, 0, 14, 8), (83, 31)),
        ((64, 130), (64, 64), (64, 40), (0, 0, 0, 0), (64, 130)),
    ],
)
def test_matrices_equal_pasting_windows(size, crop, stride, padding, out):
    torch.manual_seed(0)
    starts = [window_starts(*axis) for axis in zip(size, crop, stride)]
    left, top, right, bottom = padding
    cells = ((crop[0] + top + bottom) // 8, (crop[1] + left + right) // 8)
    grids = torch.randn(len(starts[0]) * len(starts[1]), 3, *cells)
    pads = ((top, bottom), (left, right))
    axes = [
        Axis(size[i], starts[i], crop[i], cells[i], padding=pads[i], cut=(0, 0), flip=False, out=out[i]) for i in (0, 1)
    ]
    rows, cols = (axis_matrix(axis) for axis in axes)
    got = rows @ join_windows(grids, [len(start) for start in starts]) @ cols.T
    expected = sliding_reference(grids, size, crop, starts, padding, out)
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=0)


def test_padding_is_cut_and_a_flip_undone_before_the_resize():
    axis = Axis(length=12, starts=(0,), crop=12, cells=3, padding=(0, 0), cut=(2, 4), flip=True, out=9)
    signal = torch.randn(1, 1, 3)
    full = F.interpolate(signal, size=12, mode="linear")[..., 2:8].flip(-1)
    expected = F.interpolate(full, size=9, mode="linear")
    torch.testing.assert_close((axis_matrix(axis) @ signal[0, 0])[None, None], expected)


def test_direct_is_one_resize_of_the_valid_part():
    whole = Axis(length=32, starts=(0,), crop=32, cells=4, padding=(0, 0), cut=(0, 0), flip=False, out=100)
    expected = F.interpolate(torch.eye(4)[None], size=100, mode="linear")[0].T
    torch.testing.assert_close(axis_matrix(whole, "direct"), expected, atol=1e-5, rtol=0)
    flipped = Axis(length=32, starts=(0,), crop=32, cells=4, padding=(0, 0), cut=(0, 0), flip=True, out=100)
    torch.testing.assert_close(axis_matrix(flipped, "direct"), expected.flip(0), atol=1e-5, rtol=0)
    windows = Axis(length=32, starts=(0, 8, 16), crop=16, cells=2, padding=(0, 0), cut=(0, 0), flip=False, out=50)
    torch.testing.assert_close(axis_matrix(windows, "direct").sum(dim=1), torch.ones(50))


def test_windows_are_placed_as_mmseg_places_them():
    assert window_starts(112, 64, 32) == (0, 32, 48)
    assert window_starts(150, 64, 32) == (0, 32, 64, 86)
    assert window_starts(64, 64, 32) == (0,)
    assert window_starts(40, 40, 32) == (0,)
