"""Separable RoIAlign against the operator, on boxes inside, beyond and off the map, and an empty one."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.compat.roi_align_kernels import roi_align_average
from ovdense.functional.roi_sampling import separable_roi_align

BOXES = torch.tensor(
    [[0.0, 0, 40, 60], [-30, -10, 300, 90], [17.3, 5.1, 19.9, 63.2], [500, 500, 600, 640], [8, 8, 8, 8], [3, 3, 90, 5]]
)


@pytest.mark.parametrize("merge", [1, 2])
def test_equals_roi_align_and_average_pooling(merge):
    features = torch.randn(1, 5, 7, 9, generator=torch.Generator().manual_seed(0))
    rois = F.pad(BOXES, (1, 0))
    expected = roi_align_average(features, rois, (6, 4), 1 / 16, 0, True)
    if merge == 2:
        expected = F.avg_pool2d(expected, 2)
    found = separable_roi_align(features[0].permute(1, 2, 0), BOXES, (6, 4), 1 / 16, merge)
    torch.testing.assert_close(found.permute(0, 3, 1, 2), expected, atol=1e-6, rtol=1e-5)


def test_gradients_are_those_of_the_operator():
    features = torch.randn(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    rois = F.pad(BOXES[:3].double(), (1, 0))
    weights = torch.randn(3, 3, 4, 4, dtype=torch.float64)
    expected = torch.autograd.grad((roi_align_average(features, rois, (4, 4), 1 / 16) * weights).sum(), features)[0]
    found = separable_roi_align(features[0].permute(1, 2, 0), BOXES[:3].double(), (4, 4), 1 / 16)
    found = torch.autograd.grad((found.permute(0, 3, 1, 2) * weights).sum(), features)[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_no_boxes():
    assert separable_roi_align(torch.zeros(4, 4, 2), torch.zeros(0, 4), (2, 2), 1.0).shape == (0, 2, 2, 2)
