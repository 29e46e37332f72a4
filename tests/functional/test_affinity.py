"""Values worked out by hand: affinities, pooling, the seed of the background."""

import pytest
import torch

from ovdense.functional.affinity import background_from_seed, cosine_affinity, pool_by_affinity


def maps(*columns):
    """(1,D,1,N) of patches that are given one by one."""
    return torch.tensor(columns, dtype=torch.float32).T[None, :, None]


def test_affinity_is_the_cosine_of_every_pair():
    expected = [[1, 0.6, 0], [0.6, 1, 0.8], [0, 0.8, 1]]
    assert torch.allclose(cosine_affinity(maps((5, 0), (3, 4), (0, 2)))[0], torch.tensor(expected))


def test_pooling_leaves_out_what_is_below_the_threshold():
    dense, affinity = maps((1, 0), (0, 1), (8, 8)), torch.tensor([[[1.0, 1.0, 0.1], [0.5, 1.5, 0.0], [0, 0, 2.0]]])
    pooled = pool_by_affinity(dense, affinity, 0.2)
    assert torch.allclose(pooled[0, :, 0].T, torch.tensor([[0.5, 0.5], [0.25, 0.75], [8, 8]]), atol=1e-5)
    with pytest.raises(ValueError, match="does not fit a grid of 1 x 2"):
        pool_by_affinity(dense[..., :2], affinity)


def test_background_grows_from_the_least_or_the_most_attended_patch():
    keys = maps((1, 0), (1, 0.1), (0, 1), (0.1, 1)).repeat(1, 2, 1, 1)  # two equal heads
    attention = torch.tensor([[[[0.1, 0.2, 0.3, 0.4]]]]).repeat(1, 2, 1, 1)
    assert background_from_seed(keys, attention).tolist() == [[[True, True, False, False]]]
    assert background_from_seed(keys, attention, seed="most").tolist() == [[[False, False, True, True]]]
    with pytest.raises(ValueError, match="'least' or the 'most' attended patch, got 'first'"):
        background_from_seed(keys, attention, seed="first")
