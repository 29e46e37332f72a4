import numpy as np
import pytest
import torch
from scipy import ndimage

from ovdense.functional.vote_grouping import find_peaks, gaussian_blur, group_votes, vote_map


def disc_votes(size: int, discs: list[tuple[int, int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Foreground and exact offsets of discs (x, y, radius)."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    foreground, offsets = torch.zeros(size, size), torch.zeros(2, size, size)
    for index, (cx, cy, radius) in enumerate(discs):
        inside = (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
        foreground[inside] = 0.9 - 0.1 * index
        offsets[0][inside], offsets[1][inside] = (cx - x)[inside].float(), (cy - y)[inside].float()
    return foreground, offsets


def test_touching_discs_are_told_apart_and_sorted_by_score():
    discs = [(10, 12, 7), (25, 12, 7), (20, 30, 6)]
    foreground, offsets = disc_votes(40, discs)
    [(labels, scores)] = group_votes(foreground[None], offsets[None])
    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert [labels[y, x].item() for x, y, _ in discs] == [0, 1, 2]
    assert ((labels >= 0) == (foreground > 0.5)).all()


def test_each_image_of_a_batch_is_grouped_alone():
    one, two = disc_votes(40, [(10, 10, 5)]), disc_votes(40, [(30, 30, 5), (10, 30, 6)])
    batch = group_votes(torch.stack([one[0], two[0]]), torch.stack([one[1], two[1]]))
    alone = group_votes(two[0][None], two[1][None])
    assert [len(scores) for _, scores in batch] == [1, 2]
    assert torch.equal(batch[1][0], alone[0][0])


def test_nothing_small_areas_and_limits():
    empty = group_votes(torch.zeros(1, 20, 20), torch.zeros(1, 2, 20, 20))
    assert (empty[0][0] == -1).all() and len(empty[0][1]) == 0
    foreground, offsets = disc_votes(40, [(8, 8, 6), (30, 30, 2)])
    [(labels, scores)] = group_votes(foreground[None], offsets[None], min_cells=20)
    assert len(scores) == 1 and labels[30, 30] == -1
    foreground, offsets = disc_votes(40, [(8, 8, 6), (30, 30, 6)])
    [(labels, scores)] = group_votes(foreground[None], offsets[None], max_instances=1)
    assert scores.tolist() == pytest.approx([0.9]) and labels.max() == 0


def test_cells_that_vote_far_from_every_centre_are_left_out():
    foreground, offsets = disc_votes(40, [(8, 8, 6)])
    foreground[8, 30], offsets[:, 8, 30] = 0.9, 0
    [(labels, _)] = group_votes(foreground[None], offsets[None])
    assert labels[8, 30] == -1 and labels[8, 8] == 0
    [(labels, _)] = group_votes(foreground[None], offsets[None], max_distance=30)
    assert labels[8, 30] == 0


def test_votes_beyond_the_grid_land_on_its_border():
    foreground, offsets = disc_votes(20, [(10, 10, 4)])
    offsets[0] += 100
    [(labels, scores)] = group_votes(foreground[None], offsets[None])
    assert len(scores) == 1 and labels[10, 10] == 0


def test_vote_map_sums_weights():
    weight = torch.zeros(1, 9, 9)
    weight[0, 4, 2], weight[0, 4, 6] = 1.0, 0.5
    votes = torch.full((1, 2, 9, 9), 4)
    density = vote_map(weight, votes, sigma=0.5)
    assert density.sum().item() == pytest.approx(1.5, abs=1e-4)
    assert density[0].argmax().item() == 4 * 9 + 4


def test_blur_agrees_with_scipy():
    maps = torch.rand(1, 1, 30, 40)
    expected = ndimage.gaussian_filter(maps[0, 0].numpy(), 1.6, mode="nearest", truncate=4.0)
    assert np.allclose(gaussian_blur(maps, 1.6)[0, 0].numpy(), expected, atol=2e-4)


def test_peaks_are_local_maxima_above_the_threshold():
    maps = torch.zeros(1, 20, 20)
    maps[0, 5, 5], maps[0, 5, 7], maps[0, 15, 15], maps[0, 15, 2] = 1.0, 0.9, 0.5, 0.2
    assert find_peaks(maps, 0.25).nonzero()[:, 1:].tolist() == [[5, 5], [15, 15]]
