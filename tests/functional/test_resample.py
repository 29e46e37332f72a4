"""Axis matrices: weights by hand, and bit for bit those of F.interpolate."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.resample import AxisMatrix, apply_axis, apply_separable, bilinear_axis, identity_axis

LENGTHS = [(28, 448), (14, 224), (13, 207), (37, 101), (101, 37), (5, 1000), (128, 2048), (7, 1), (1, 9), (300, 299)]


def test_two_samples_to_four_by_hand():
    # Outputs lie at input positions -0.25, 0.25, 0.75, 1.25; the outer ones are clamped to the border.
    expected = torch.tensor([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    assert torch.equal(bilinear_axis(2, 4).dense(), expected)
    # With corners aligned: 0, 1/3, 2/3, 1.
    expected = torch.tensor([[1, 0], [2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1]])
    torch.testing.assert_close(bilinear_axis(2, 4, align_corners=True).dense(), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("size_in", "size_out"), LENGTHS)
def test_weights_are_those_of_interpolate(size_in, size_out, align_corners):
    eye = torch.eye(size_in)[None, :, :, None]
    expected = F.interpolate(eye, size=(size_out, 1), mode="bilinear", align_corners=align_corners)[0, :, :, 0].T
    assert torch.equal(bilinear_axis(size_in, size_out, align_corners=align_corners).dense(), expected)


def test_weights_in_float64():
    eye = torch.eye(13, dtype=torch.float64)[None, :, :, None]
    expected = F.interpolate(eye, size=(207, 1), mode="bilinear")[0, :, :, 0].T
    torch.testing.assert_close(bilinear_axis(13, 207, dtype=torch.float64).dense(), expected, atol=1e-14, rtol=0)


def test_scale_factor_moves_the_positions():
    eye = torch.eye(14)[None, :, :, None]
    expected = F.interpolate(eye, scale_factor=(20.1 / 14, 1), mode="bilinear")[0, :, :, 0].T
    assert torch.equal(bilinear_axis(14, 20, scale_factor=20.1 / 14).dense(), expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(100, 133), (7, 300), (448, 672)])
def test_apply_separable_equals_interpolate_bit_for_bit(size, align_corners):
    x = torch.randn(2, 5, 28, 13, generator=torch.Generator().manual_seed(0))
    rows, cols = (bilinear_axis(n, m, align_corners=align_corners) for n, m in zip(x.shape[-2:], size))
    expected = F.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)
    assert torch.equal(apply_separable(x, rows, cols), expected)


def test_composition_of_two_resizes():
    x = torch.randn(1, 2, 9, 5, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(F.interpolate(x, size=(70, 40), mode="bilinear"), size=(101, 33), mode="bilinear")
    rows = bilinear_axis(70, 101).after(bilinear_axis(9, 70))
    cols = bilinear_axis(40, 33).after(bilinear_axis(5, 40))
    torch.testing.assert_close(apply_separable(x, rows, cols), expected, atol=1e-6, rtol=0)
    assert rows.taps <= 3  # equal positions are merged


def test_composition_by_hand():
    # Mean of neighbours of (a, b, c), after doubling the middle: rows (a+b)/2 and (b+c)/2.
    mean = AxisMatrix(torch.tensor([[0, 1], [2, 3]]), torch.full((2, 2), 0.5), size_in=4)
    copy = AxisMatrix(torch.tensor([[0], [1], [1], [2]]), torch.ones(4, 1), size_in=3)
    assert torch.equal(mean.after(copy).dense(), torch.tensor([[0.5, 0.5, 0], [0, 0.5, 0.5]]))


def test_slices_and_identity():
    matrix = bilinear_axis(5, 20)
    assert torch.equal(matrix[slice(3, 9)].dense(), matrix.dense()[3:9])
    assert torch.equal(identity_axis(4).dense(), torch.eye(4))
    assert len(matrix) == 20


def test_many_taps_use_the_dense_matrix():
    weight = torch.rand(6, 9, generator=torch.Generator().manual_seed(0))
    matrix = AxisMatrix(torch.arange(9).expand(6, 9), weight, size_in=9)
    x = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(apply_axis(x, matrix, 1), torch.einsum("nm,bmq->bnq", weight, x))


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="0 -> 4"):
        bilinear_axis(0, 4)
    with pytest.raises(ValueError, match="scale_factor=2"):
        bilinear_axis(4, 8, align_corners=True, scale_factor=2.0)
    with pytest.raises(ValueError, match="takes 4 inputs but the inner one gives 5"):
        bilinear_axis(4, 8).after(bilinear_axis(3, 5))
    with pytest.raises(ValueError, match="has 7 samples, the matrix takes 4"):
        apply_axis(torch.zeros(1, 7), bilinear_axis(4, 8), 1)
