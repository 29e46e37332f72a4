"""RoIAlign against a scalar reference in double precision, hand-worked values and numerical gradients."""

import math

import pytest
import torch

from ovdense.compat.roi_align_kernels import (
    roi_align_average,
    roi_align_average_backward,
    roi_align_max,
    roi_align_max_backward,
)

ROIS = torch.tensor(
    [
        [0, 1.0, 2.0, 17.0, 12.0],
        [1, -3.0, -2.0, 33.0, 10.0],  # leaves the map on three sides
        [0, 5.0, 5.0, 5.5, 5.2],  # smaller than a cell
        [1, 25.0, 15.0, 60.0, 50.0],  # mostly outside
    ],
    dtype=torch.double,
)


def bilinear(plane, y, x):
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = min(int(y), height - 1), min(int(x), width - 1)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    ly, lx = y - top, x - left
    upper = (1 - lx) * plane[top, left] + lx * plane[top, right]
    return float((1 - ly) * upper + ly * ((1 - lx) * plane[bottom, left] + lx * plane[bottom, right]))


def scalar_roi_align(features, rois, size, scale, ratio, aligned, mode):
    """The definition, one sample at a time."""
    out = torch.zeros(len(rois), features.shape[1], *size, dtype=torch.double)
    for r, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - (0.5 if aligned else 0.0) for value in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        bins = height / size[0], width / size[1]
        counts = [ratio if ratio > 0 else math.ceil(step) for step in bins]
        for c in range(features.shape[1]):
            for p in range(size[0]):
                for q in range(size[1]):
                    samples = [
                        bilinear(
                            features[int(image), c],
                            y1 + p * bins[0] + (i + 0.5) * bins[0] / counts[0],
                            x1 + q * bins[1] + (j + 0.5) * bins[1] / counts[1],
                        )
                        for i in range(counts[0])
                        for j in range(counts[1])
                    ]
                    out[r, c, p, q] = sum(samples) / len(samples) if mode == "avg" else max(samples)
    return out


@pytest.fixture(scope="module")
def features():
    return torch.randn(2, 3, 20, 30, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 1, 3])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_equals_the_definition(features, aligned, ratio, scale):
    average = roi_align_average(features, ROIS, (3, 2), scale, ratio, aligned)
    largest = roi_align_max(features, ROIS, (3, 2), scale, ratio, aligned)[0]
    torch.testing.assert_close(average, scalar_roi_align(features, ROIS, (3, 2), scale, ratio, aligned, "avg"))
    torch.testing.assert_close(largest, scalar_roi_align(features, ROIS, (3, 2), scale, ratio, aligned, "max"))


def test_hand_worked_on_a_ramp():
    ramp = torch.arange(16.0).view(1, 1, 4, 4)
    rois = torch.tensor([[0, 0.0, 0.0, 4.0, 4.0]])
    # Aligned, 2 x 2 bins of 2 cells: one sample sits at the bin's middle, the mean of its four cells.
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    torch.testing.assert_close(roi_align_average(ramp, rois, (2, 2), 1.0, 1)[0, 0], expected)
    torch.testing.assert_close(roi_align_average(ramp, rois, (2, 2), 1.0, 2)[0, 0], expected)
    # With two samples a side the samples are the cells: the maximum is the bottom right cell of each bin.
    largest, at_y, at_x = roi_align_max(ramp, rois, (2, 2), 1.0, 2)
    torch.testing.assert_close(largest[0, 0], torch.tensor([[5.0, 7.0], [13.0, 15.0]]))
    assert at_y[0, 0].tolist() == [[1, 1], [3, 3]]
    assert at_x[0, 0].tolist() == [[1, 3], [1, 3]]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_gradients(features, aligned, ratio):
    features = features[:, :1, :5, :7].clone().requires_grad_()
    options = dict(spatial_scale=0.25, sampling_ratio=ratio, aligned=aligned)
    assert torch.autograd.gradcheck(lambda x: roi_align_average(x, ROIS, (3, 2), **options), features)
    pooled = roi_align_average(features, ROIS, (3, 2), **options)
    grad = torch.randn_like(pooled)
    expected = torch.autograd.grad(pooled, features, grad)[0]
    torch.testing.assert_close(roi_align_average_backward(grad, ROIS, tuple(features.shape), **options), expected)


def test_max_gradient_reaches_the_four_cells():
    at = torch.full((1, 1, 1, 1), 1.25)
    grad = roi_align_max_backward(torch.full((1, 1, 1, 1), 8.0), torch.zeros(1, 5), at, at + 0.25, (1, 1, 4, 4))
    expected = torch.zeros(4, 4)
    expected[1:3, 1:3] = 8 * torch.tensor([[0.75 * 0.5, 0.75 * 0.5], [0.25 * 0.5, 0.25 * 0.5]])
    torch.testing.assert_close(grad[0, 0], expected)


def test_empty_regions_and_no_regions(features):
    flat = torch.tensor([[0, 5.0, 5.0, 5.0, 9.0]], dtype=torch.double)  # zero width: no samples when adaptive
    assert (roi_align_average(features, flat, (2, 2), 1.0, 0) == 0).all()
    largest, at_y, _ = roi_align_max(features, flat, (2, 2), 1.0, 0)
    assert (largest == -10000).all() and (at_y == -1).all()
    features = features.clone().requires_grad_()
    none = roi_align_average(features, ROIS[:0], (7, 5))
    assert none.shape == (0, 3, 7, 5)
    none.sum().backward()
    assert (features.grad == 0).all()


def test_half_precision_and_channels_last(features):
    expected = roi_align_average(features, ROIS, (2, 2))
    half = roi_align_average(features.half().to(memory_format=torch.channels_last), ROIS.half(), (2, 2))
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), expected, atol=5e-3, rtol=5e-3)


def test_a_reversed_region_is_refused(features):
    with pytest.raises(ValueError, match=r"got \[9.0, 1.0, 3.0, 4.0\]"):
        roi_align_average(features, torch.tensor([[0, 9.0, 1.0, 3.0, 4.0]], dtype=torch.double), (2, 2))
