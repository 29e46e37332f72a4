"""Correlation of patches: thresholds by hand, and chunks, means and batches that change nothing."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.attention import mean_affinity, patch_affinity
from ovdense.functional.correlation import PatchAttention, correlate, correlation_weights, mean_cosines


def attention_of(batch=2, heads=3, grid=(3, 4), extra=5):
    """Queries, keys with ``extra`` of them beside the patches, and values."""
    n = grid[0] * grid[1]
    places = torch.arange(n) + extra
    keys, queries = torch.randn(batch, heads, n + extra, 6), torch.randn(batch, heads, n, 6)
    return PatchAttention(queries, keys, torch.randn(batch, heads, n, 4), places, grid)


def test_links_are_cut_below_the_mean_cosine():
    """One head, patches at 0, 60 and 180 degrees: cosines 0.5, -1 and -0.5, row means 1/6, 1/3 and -1/6."""
    values = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2], [-2.0, 0.0]])[None, None]
    torch.testing.assert_close(mean_cosines(values), torch.tensor([[1 / 6, 1 / 3, -1 / 6]]))
    attention = torch.full((1, 1, 3, 3), 1.0)
    attention[..., 0] = 3.0
    weights = correlation_weights(attention, values, factor=1.2)
    expected = torch.tensor([[0.75, 0.25, 0], [0.75, 0.25, 0], [0, 0, 1]])  # the last keeps what exceeds -0.2
    torch.testing.assert_close(weights[0], expected)
    # three times the mean: 0.5, 1 -> 0.9 and -0.5; a cosine must exceed it
    torch.testing.assert_close(correlation_weights(attention, values, factor=3.0)[0, :2], torch.eye(3)[:2])


def test_heads_are_averaged_before_rows_are_normalised():
    values = torch.tensor([[[1.0, 0], [1, 0]], [[1, 0], [0, 1]]])[None]  # alike in the first head only
    attention = torch.tensor([[[0.5, 0.5], [0.5, 0.5]], [[0.2, 0.8], [0.2, 0.8]]])[None]
    assert mean_cosines(values).tolist() == [[0.75, 0.75]]
    weights = correlation_weights(attention, values, factor=1.0)[0]
    torch.testing.assert_close(weights, torch.tensor([[0.7, 0.5], [0.5, 1.3]]) / torch.tensor([[1.2], [1.8]]))


def test_the_mean_is_that_of_all_pairs():
    values = torch.randn(2, 3, 12, 4)
    unit = F.normalize(values, dim=-1)
    torch.testing.assert_close(mean_cosines(values), (unit @ unit.transpose(-1, -2)).mean(dim=(1, 3)))
    maps = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(mean_affinity(maps), patch_affinity(maps).mean(dim=(1, 2)))


@pytest.mark.parametrize("chunk", [1, 5, 12, 100])
def test_chunks_of_queries_change_nothing(chunk):
    attention, features = attention_of(), torch.randn(2, 7, 3, 4)
    whole = (attention.queries @ attention.keys.transpose(-1, -2)).softmax(-1)[..., 5:]
    weights = correlation_weights(whole, attention.values)
    expected = (weights @ features.flatten(2).transpose(1, 2)).transpose(1, 2).view(2, 7, 3, 4)
    torch.testing.assert_close(correlate(features, attention, queries_at_once=chunk), expected, atol=1e-6, rtol=1e-5)


def test_patches_that_are_all_alike_give_their_mean():
    """Equal values: all cosines are 1 and the threshold is 0.9, so that nothing is cut."""
    attention = PatchAttention(
        torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 4, 3), torch.ones(1, 2, 4, 3), torch.arange(4), (2, 2)
    )
    features = torch.arange(4.0).view(1, 1, 2, 2)
    torch.testing.assert_close(correlate(features, attention), torch.full((1, 1, 2, 2), 1.5))


def test_blank_values_give_numbers():
    attention = PatchAttention(
        torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 4, 3), torch.zeros(1, 2, 4, 3), torch.arange(4), (2, 2)
    )
    assert correlate(torch.ones(1, 1, 2, 2), attention).isfinite().all()


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="cannot follow attention on"):
        correlate(torch.randn(2, 7, 4, 3), attention_of())
    with pytest.raises(ValueError, match="the same heads and patches"):
        correlation_weights(torch.rand(1, 2, 3, 3), torch.rand(1, 3, 3, 4))
