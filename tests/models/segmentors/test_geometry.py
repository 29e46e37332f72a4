import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.resample import apply_separable
from ovdense.functional.windows import stack_windows, window_positions
from ovdense.models.segmentors.geometry import Axis, axis_matrix, guide_image


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
    starts = [window_positions(*axis) for axis in zip(size, crop, stride)]
    left, top, right, bottom = padding
    cells = ((crop[0] + top + bottom) // 8, (crop[1] + left + right) // 8)
    grids = torch.randn(len(starts[0]) * len(starts[1]), 3, *cells)
    pads = ((top, bottom), (left, right))
    axes = [
        Axis(length=size[i], crop=crop[i], stride=stride[i], cells=cells[i], padding=pads[i], out=out[i])
        for i in (0, 1)
    ]
    stacked = stack_windows(grids, tuple(len(start) for start in starts))[0]
    got = apply_separable(stacked, *(axis_matrix(axis) for axis in axes))
    expected = sliding_reference(grids, size, crop, starts, padding, out)
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=0)


def test_padding_is_cut_and_a_flip_undone_before_the_resize():
    axis = Axis(length=12, crop=12, stride=12, cells=3, cut=(2, 4), flip=True, out=9)
    signal = torch.randn(1, 1, 3)
    full = F.interpolate(signal, size=12, mode="linear")[..., 2:8].flip(-1)
    expected = F.interpolate(full, size=9, mode="linear")
    torch.testing.assert_close((axis_matrix(axis).dense() @ signal[0, 0])[None, None], expected)


def test_guide_is_the_picture_itself():
    image = torch.randn(1, 3, 12, 10)
    axes = (
        Axis(length=12, crop=12, stride=12, cells=3, cut=(2, 4), flip=True, out=6),
        Axis(length=10, crop=10, stride=10, cells=3, cut=(0, 3), out=14),
    )
    guide = guide_image(image, axes)
    assert guide.shape == (1, 3, 6, 14)
    picture = image[:, :, 2:8, :7].flip(2)
    torch.testing.assert_close(guide, F.interpolate(picture, size=(6, 14), mode="bilinear"))


def direct(**kwargs):
    return axis_matrix(Axis(**kwargs), "direct").dense()


def test_direct_is_one_resize_of_the_valid_part():
    expected = F.interpolate(torch.eye(4)[None], size=100, mode="linear")[0].T
    torch.testing.assert_close(direct(length=32, crop=32, stride=32, cells=4, out=100), expected, atol=1e-5, rtol=0)
    mirrored = direct(length=32, crop=32, stride=32, cells=4, flip=True, out=100)
    torch.testing.assert_close(mirrored, expected.flip(0), atol=1e-5, rtol=0)
    padded = direct(length=24, crop=24, stride=24, cells=4, padding=(2, 6), out=24)
    torch.testing.assert_close(padded, F.interpolate(torch.eye(4)[None], size=32, mode="linear")[0].T[2:26])


@pytest.mark.parametrize("cells", [1, 2])
def test_direct_averages_windows_that_overlap(cells):
    windows = direct(length=32, crop=16, stride=8, cells=cells, out=50)
    torch.testing.assert_close(windows.sum(dim=1), torch.ones(50))
    assert (windows[25] > 0).sum() >= 2
