"""SC-CLIP's parts by hand, and a pass written out with loops."""

import math

import pytest
import torch

from ovdense.functional.attention import HeadTokens, attention_map, get_attention_variant
from ovdense.functional.attention_scclip import (
    aggregate,
    anomaly_mask,
    local_outlier_factor,
    patch_similarity,
    pick_blocks,
    replace_by_neighbours,
    scclip_tail,
)

FAR = (1 + 100 / 81 + 100 / 64) / 3
LINE = torch.tensor([0.0, 1, 2, 10]).reshape(1, 4, 1)


@pytest.mark.parametrize(
    ("neighbours", "expected"),
    [
        (1, [1, 1, 1, 64]),  # squared distances to the nearest: 1, 1, 1, 64
        (2, [2.5, 0.25, 2.5, 50.625]),  # to the second: 4, 1, 4, 81; the neighbours of 10 are 2 and 1
        # Fewer tokens than neighbours: all the others; to the third: 100, 81, 64, 100.
        (
            30,
            [(100 / 81 + 100 / 64 + 1) / 3, (1.62 + 81 / 64) / 3, (1.28 + 64 / 81) / 3, (1 + 100 / 81 + 100 / 64) / 3],
        ),
    ],
)
def test_outlier_factor_by_hand(neighbours, expected):
    factor = local_outlier_factor(LINE, neighbours)[0]
    assert factor.tolist() == pytest.approx(expected, rel=1e-5)


def test_one_token_and_equal_tokens_are_no_outliers():
    assert local_outlier_factor(torch.ones(2, 1, 3)).tolist() == [[1], [1]]
    assert local_outlier_factor(torch.ones(1, 5, 3), 2).tolist() == [[1] * 5]
    assert not anomaly_mask(torch.ones(1, 4, 3), (2, 2)).any()


def test_outliers_are_marked_image_by_image_on_their_own_place():
    tokens = torch.linspace(0, 1, 40).reshape(1, 40, 1).repeat(2, 1, 1)
    tokens[0, 13], tokens[1, 7] = 9, 9
    marked = anomaly_mask(tokens, (5, 8), neighbours=5, share=0.01)
    assert marked.shape == (2, 1, 5, 8) and marked.nonzero().tolist() == [[0, 0, 1, 5], [1, 0, 0, 7]]
    quirk = anomaly_mask(tokens, (5, 8), neighbours=5, share=0.01, official_quirks=True)
    assert quirk.nonzero().tolist() == [[0, 0, 2, 3], [1, 0, 1, 2]]  # rows of 5 cells on a grid of 8
    tokens[0, 39] = 12.0
    lost = anomaly_mask(tokens[:1], (5, 8), neighbours=5, share=0.01, official_quirks=True)
    assert not lost.any()  # row 7 of 5


def test_anomalies_take_the_mean_of_sound_neighbours():
    tokens = torch.arange(9.0).reshape(1, 9, 1)
    anomalies = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    anomalies[0, 0, 0, 0] = anomalies[0, 0, 1, 1] = True
    fixed = replace_by_neighbours(tokens, anomalies).flatten()
    # (1 + 3) / 2 in the corner, (1 + 2 + 3 + 5 + 6 + 7 + 8) / 7 in the middle
    assert fixed.tolist() == pytest.approx([2, 1, 2, 3, 32 / 7, 5, 6, 7, 8])
    assert replace_by_neighbours(tokens, torch.ones_like(anomalies)).flatten().tolist() == list(range(9))


def test_aggregation_cuts_weak_links():
    similarity = torch.tensor([[[1.0, 0.5], [0.3, 1.0]]])
    mixed = aggregate(torch.tensor([[[3.0], [6.0]]]), similarity, threshold=0.4)
    assert mixed.flatten().tolist() == pytest.approx([(3 + 0.5 * 6) / 1.5, 6], rel=1e-5)


def test_attention_is_the_mean_of_similarity_and_keys():
    k, v = torch.tensor([0.0, 1.0]).reshape(1, 1, 2, 1), torch.tensor([10.0, 20.0]).reshape(1, 1, 2, 1)
    tokens = HeadTokens(q=k, k=k, v=v, grid=(1, 2), scale=2.0, prefix=0)
    similarity = torch.tensor([[[1.0, 0.9], [0.1, 1.0]]])  # mean 0.75
    variant = get_attention_variant("scclip")
    context = variant.function(tokens, similarity=similarity, gamma=2.0).flatten()
    first = 1 / (1 + math.exp(0.2))  # weight of the second patch: logits 0.5 and 0.3
    own = 1 / (1 + math.exp(-2))  # k k^T * 2 of the second patch: 0 and 2
    assert context.tolist() == pytest.approx([10 + 10 * (first + 0.5) / 2, 10 + 10 * (1 + own) / 2])
    weights = attention_map(variant, tokens, similarity=similarity, gamma=2.0)
    torch.testing.assert_close((weights @ v).flatten(), context)


def test_two_passes_over_adjusted_and_summed_tokens():
    torch.manual_seed(0)
    hidden = [torch.randn(1, 1 + 6, 4) for _ in range(4)]
    seen = []

    def last_block(x, similarity, gamma):
        seen.append((x, similarity, gamma))
        return 2 * x

    out = scclip_tail(hidden, (2, 3), 1, last_block, share=0.0, mid=2, post=1, levels=(1, 3), threshold=-1, gamma=4.0)
    mid, post = patch_similarity(hidden[2][:, 1:]), patch_similarity(hidden[1][:, 1:])
    adjusted = aggregate(hidden[3][:, 1:], mid, -1)
    summed = hidden[1] + hidden[2]
    first = aggregate(2 * adjusted + 0.3 * hidden[3][:, :1], post, -1)
    second = aggregate(2 * summed[:, 1:] + 0.3 * summed[:, :1], post, -1)
    torch.testing.assert_close(out, first + second)
    torch.testing.assert_close(seen[0][0], adjusted)
    torch.testing.assert_close(seen[1][0], summed[:, 1:])
    assert all(gamma == 4.0 and torch.equal(similarity, mid) for _, similarity, gamma in seen)


@pytest.mark.parametrize("levels", [dict(mid=4), dict(post=-1), dict(levels=(2, 5)), dict(levels=(2, 2))])
def test_blocks_that_are_not_there_are_named(levels):
    hidden = [torch.randn(1, 5, 4)] * 4
    with pytest.raises(ValueError, match="attention_options for a model of 5 blocks"):
        scclip_tail(hidden, (2, 2), 1, None, **{**dict(mid=1, post=1, levels=(0, 2)), **levels})
    assert pick_blocks(23, None, None, None) == pick_blocks(11, None, None, None) == (8, 3, (3, 10))
    assert pick_blocks(2, None, None, None) == (1, 0, (0, 1))  # 16/11, 6/11, 20/11
    with pytest.raises(ValueError, match="at least 1 neighbour, got 0"):
        local_outlier_factor(LINE, 0)
    with pytest.raises(ValueError, match=r"in \[0, 1\), got 1"):
        anomaly_mask(LINE, (2, 2), share=1)
