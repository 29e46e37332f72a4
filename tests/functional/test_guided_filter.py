"""The guided filter against per-pixel least squares, and on a step edge."""

import pytest
import torch

from ovdense.functional.guided_filter import box_mean, guided_filter


def reference(guide: torch.Tensor, one_map: torch.Tensor, radius: int, eps: float) -> torch.Tensor:
    """The definition, window by window: ridge regression of the map on the colour, then the mean of all models."""
    height, width = one_map.shape
    windows = {}
    for y in range(height):
        for x in range(width):
            rows = slice(max(0, y - radius), y + radius + 1)
            cols = slice(max(0, x - radius), x + radius + 1)
            colour, value = guide[:, rows, cols].flatten(1).T, one_map[rows, cols].flatten()
            centred = colour - colour.mean(0)
            matrix = centred.T @ centred / len(value) + eps * torch.eye(3, dtype=guide.dtype)
            slope = torch.linalg.solve(matrix, centred.T @ (value - value.mean()) / len(value))
            windows[y, x] = (slope, value.mean() - slope @ colour.mean(0))
    out = torch.zeros_like(one_map)
    for y in range(height):
        for x in range(width):
            near = [model for (v, u), model in windows.items() if abs(v - y) <= radius and abs(u - x) <= radius]
            slope = torch.stack([each[0] for each in near]).mean(0)
            offset = torch.stack([each[1] for each in near]).mean()
            out[y, x] = slope @ guide[:, y, x] + offset
    return out


def test_equals_window_by_window_regression():
    torch.manual_seed(0)
    guide = torch.randn(2, 3, 7, 9, dtype=torch.float64)
    maps = torch.randn(2, 2, 7, 9, dtype=torch.float64)
    filtered = guided_filter(guide, maps, radius=2, eps=0.1)
    for image in range(2):
        for index in range(2):
            expected = reference(guide[image], maps[image, index], 2, 0.1)
            torch.testing.assert_close(filtered[image, index], expected, atol=1e-9, rtol=0)


def test_box_mean_by_hand():
    maps = torch.tensor([[[[0.0, 3.0, 6.0], [3.0, 3.0, 3.0]]]])
    assert box_mean(maps, 1)[0, 0].tolist() == [[2.25, 3.0, 3.75], [2.25, 3.0, 3.75]]


@pytest.mark.parametrize("subsample", [1, 2])
def test_blurred_map_snaps_to_the_edge_of_the_guide(subsample):
    guide = torch.zeros(1, 3, 32, 32)
    guide[..., 16:] = 1.0
    blurred = torch.linspace(0, 1, 32).expand(1, 1, 32, 32)
    filtered = guided_filter(guide, blurred, radius=6, eps=1e-3, subsample=subsample)[0, 0, 16]
    assert (filtered[16] - filtered[15]) > 5 * (blurred[0, 0, 0, 16] - blurred[0, 0, 0, 15])


def test_constant_maps_stay_and_sums_are_kept():
    torch.manual_seed(0)
    guide, maps = torch.rand(1, 3, 20, 17), torch.rand(1, 4, 20, 17)
    maps = maps / maps.sum(1, keepdim=True)
    filtered = guided_filter(guide, maps, radius=3, eps=0.01, subsample=2)
    torch.testing.assert_close(filtered.sum(1), torch.ones(1, 20, 17), atol=1e-4, rtol=0)


def test_sizes_that_do_not_match():
    with pytest.raises(ValueError, match=r"got \(1, 3, 4, 4\) and \(1, 2, 4, 5\)"):
        guided_filter(torch.zeros(1, 3, 4, 4), torch.zeros(1, 2, 4, 5), radius=1, eps=0.1)
