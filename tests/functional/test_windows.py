"""Sliding windows: positions by hand, and the composed matrices against the serial protocol."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.resample import apply_separable
from ovdense.functional.upsample_argmax import separable_argmax
from ovdense.functional.windows import (
    crop_windows,
    splice_axis_matrix,
    stack_windows,
    whole_axis_matrix,
    window_axis_matrix,
    window_boxes,
    window_positions,
)


@pytest.mark.parametrize(
    ("length", "crop", "stride", "expected"),
    [
        (448, 224, 112, [0, 112, 224]),
        (500, 224, 112, [0, 112, 224, 276]),  # the last window is shifted back
        (224, 224, 112, [0]),
        (225, 224, 112, [0, 1]),
        (100, 224, 112, [0]),  # an image smaller than the window
    ],
)
def test_positions_by_hand(length, crop, stride, expected):
    assert window_positions(length, crop, stride) == expected


def test_boxes_by_hand():
    expected = [(0, 0, 4, 3), (2, 0, 6, 3), (0, 2, 4, 5), (2, 2, 6, 5)]
    assert window_boxes((5, 6), (3, 4), (3, 2)) == expected


def test_crops_follow_the_boxes():
    images = torch.arange(2 * 1 * 5 * 6).view(2, 1, 5, 6)
    crops = crop_windows(images, (3, 4), (3, 2))
    assert torch.equal(crops[2:4], images[..., 0:3, 2:6])
    assert crops.shape == (8, 1, 3, 4)


def test_stacking_keeps_windows_side_by_side():
    # Windows 0..3 of 2 x 2 positions, one patch each: the stacked grid shows the positions.
    logits = torch.arange(4.0).view(4, 1, 1, 1)
    assert stack_windows(logits, (2, 2)).tolist() == [[[[0.0, 1.0], [2.0, 3.0]]]]


def test_average_of_two_windows_by_hand():
    # Length 3, windows of 2 pixels at 0 and 1, one patch each: the middle pixel sees both.
    matrix = window_axis_matrix(3, 2, 1, 1)
    assert torch.equal(matrix.dense(), torch.tensor([[1, 0], [0.5, 0.5], [0, 1]]))


def serial(logits, size, crop, stride, crop_padding, image_padding, output):
    """The official way: one window after the other at pixel resolution; logits (windows, B, S, h, w) in box order."""
    (left, right), (top, bottom) = crop_padding, image_padding
    total = torch.zeros(*logits.shape[1:3], *size)
    count = torch.zeros(1, 1, *size)
    for (x1, y1, x2, y2), window in zip(window_boxes(size, crop, stride), logits):
        h, w = y2 - y1, x2 - x1
        up = F.interpolate(window, size=(h + left + right, w + left + right), mode="bilinear")
        total[..., y1:y2, x1:x2] += up[..., left : left + h, left : left + w]
        count[..., y1:y2, x1:x2] += 1
    mean = (total / count)[..., top : size[0] - bottom, top : size[1] - bottom]
    return mean if output is None else F.interpolate(mean, size=output, mode="bilinear")


CASES = {
    "sclip": ((112, 160), 64, 32, 4, (0, 0), (0, 0), (100, 150)),
    "padded crops": ((104, 150), 60, 30, 4, (2, 2), (0, 0), (100, 140)),
    "padded image": ((128, 160), 64, 48, 4, (0, 0), (6, 10), (150, 177)),
    "ragged, no resize": ((101, 133), 64, 33, 4, (0, 0), (0, 0), None),
    "three windows over a pixel": ((96, 100), 64, 20, 4, (0, 0), (0, 0), (190, 201)),
    "smaller than a window": ((48, 64), 64, 32, 3, (0, 0), (0, 0), (200, 260)),
    "shrinking": ((128, 160), 64, 32, 4, (0, 0), (0, 0), (70, 81)),
    "strong enlargement": ((64, 96), 64, 32, 4, (0, 0), (0, 0), (400, 500)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("phrases", [3, 20])
def test_sliding_protocols(case, phrases):
    size, crop, stride, patches, crop_padding, image_padding, output = CASES[case]
    grid = tuple(len(window_positions(length, crop, stride)) for length in size)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(grid[0] * grid[1], 2, phrases, patches, patches, generator=generator)
    expected = serial(logits, size, crop, stride, crop_padding, image_padding, output)
    stacked = stack_windows(logits.flatten(0, 1), grid)
    rows, cols = (
        window_axis_matrix(
            size[axis],
            crop,
            stride,
            patches,
            crop_padding=crop_padding,
            image_padding=image_padding,
            output=None if output is None else output[axis],
        )
        for axis in (0, 1)
    )
    torch.testing.assert_close(apply_separable(stacked, rows, cols), expected, atol=2e-6, rtol=0)
    labels, probs = separable_argmax(stacked, rows, cols, scale=3.0, return_prob=True)
    top = expected.topk(2, 1).values
    clear = top[:, 0] - top[:, 1] > 4e-6
    assert torch.equal(labels[clear], expected.argmax(1)[clear])
    assert clear.float().mean() > 0.999
    torch.testing.assert_close(probs, (3 * expected).softmax(1).amax(1), atol=4e-6, rtol=0)


def test_rows_are_averages():
    for output in (None, 50, 333):
        matrix = window_axis_matrix(150, 64, 30, 4, crop_padding=(1, 3), image_padding=(5, 7), output=output)
        assert (matrix.weight >= 0).all()
        torch.testing.assert_close(matrix.weight.sum(1), torch.ones(len(matrix)), atol=1e-6, rtol=0)
        assert len(matrix) == (138 if output is None else output)


def test_whole_inference_with_padding():
    logits = torch.randn(1, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    up = F.interpolate(logits, size=(64, 96), mode="bilinear")[..., 3:61, 5:91]
    expected = F.interpolate(up, size=(120, 180), mode="bilinear")
    rows = whole_axis_matrix(58, 4, padding=(3, 3), output=120)
    cols = whole_axis_matrix(86, 6, padding=(5, 5), output=180)
    torch.testing.assert_close(apply_separable(logits, rows, cols), expected, atol=1e-6, rtol=0)


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="got 0, 224 and 112"):
        window_positions(0, 224, 112)
    with pytest.raises(ValueError, match="stride of at most 64"):
        window_axis_matrix(200, 64, 100, 4)
    with pytest.raises(ValueError, match="2 x 3 windows per image do not divide a batch of 7 windows"):
        stack_windows(torch.zeros(7, 1, 2, 2), (2, 3))


@pytest.mark.parametrize(
    ("length", "crop", "stride", "patches"), [(6, 4, 2, 4), (96, 64, 32, 8), (80, 64, 16, 8), (40, 64, 32, 5)]
)
def test_splice_is_paste_average_and_resize(length, crop, stride, patches):
    crop = min(crop, length)
    cell, starts = crop // patches, window_positions(length, crop, stride)
    windows = torch.randn(len(starts), patches)
    canvas, count = torch.zeros(length // cell), torch.zeros(length // cell)
    for start, window in zip(starts, windows):
        canvas[start // cell : start // cell + patches] += window
        count[start // cell : start // cell + patches] += 1
    expected = F.interpolate((canvas / count)[None, None], size=7, mode="linear")[0, 0]
    matrix = splice_axis_matrix(length, crop, stride, patches, output=7)
    torch.testing.assert_close(matrix.dense() @ windows.flatten(), expected)


def test_splice_of_windows_between_cells_is_one_bilinear_step():
    """Windows of two cells of 4 pixels at 0 and 3 of 11 pixels: output centres 1.8, 5.5 and 9.2."""
    matrix = splice_axis_matrix(11, 8, 4, 2, output=3)
    # 1.8 lies before the first centre of the first window; 5.5 is at 0.875 of its cells, and at 0.125 of the second's
    expected = torch.tensor([[1, 0, 0, 0], [0.0625, 0.4375, 0.4375, 0.0625], [0, 0, 0, 1]])
    torch.testing.assert_close(matrix.dense(), expected)
    torch.testing.assert_close(matrix.dense().sum(1), torch.ones(3))
