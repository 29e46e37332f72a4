"""Biases, masks and rules of attention, by hand and against torch's own attention."""

import math

import torch

from ovdense.functional.attention import HeadTokens, vanilla
from ovdense.functional.attention_override import (
    AttentionOverride,
    attend_overridden,
    attention_weights,
    class_row_bias,
    key_mask,
)


def tokens_of(batch=2, heads=2, length=5, seed=0):
    q, k, v = torch.randn(3, batch, heads, length, 4, generator=torch.manual_seed(seed))
    return HeadTokens(q=q, k=k, v=v, grid=(2, 2), scale=0.5)


def test_without_an_override_the_attention_is_the_usual_one():
    tokens = tokens_of()
    torch.testing.assert_close(attend_overridden(tokens), vanilla(tokens))
    torch.testing.assert_close(attention_weights(tokens) @ tokens.v, vanilla(tokens))


def test_masked_keys_get_nothing_and_the_rest_keeps_its_proportions():
    tokens = tokens_of()
    maps = torch.tensor([[[1.0, 0.0], [1.0, 0.5]], [[0.0, 0.0], [0.0, 1.0]]])
    override = AttentionOverride(mask=key_mask(maps))
    plain, weights = attention_weights(tokens), attention_weights(tokens, override)
    assert (weights[0, ..., 2] == 0).all() and (weights[1, ..., 1:4] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 5))
    factor = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.5])
    expected = plain[0] * factor / (plain[0] * factor).sum(-1, keepdim=True)
    torch.testing.assert_close(weights[0], expected)
    torch.testing.assert_close(attend_overridden(tokens, override), weights @ tokens.v)


def test_a_bias_of_the_class_row_leaves_the_patches_alone():
    tokens = tokens_of()
    override = AttentionOverride(bias=class_row_bias(torch.full((1, 2, 2), math.log(3.0))))
    plain, weights = attention_weights(tokens), attention_weights(tokens, override)
    torch.testing.assert_close(weights[..., 1:, :], plain[..., 1:, :])
    row = plain[..., 0, :] * torch.tensor([1.0, 3.0, 3.0, 3.0, 3.0])
    torch.testing.assert_close(weights[..., 0, :], row / row.sum(-1, keepdim=True))


def test_a_rule_sees_both_weights_and_some_regions_are_picked():
    tokens = tokens_of(batch=1)
    mask = key_mask(torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]))
    seen = {}

    def rule(weights, plain):
        seen.update(weights=weights, plain=plain)
        return weights - plain

    override = AttentionOverride(mask=mask, rule=rule)[1:]
    torch.testing.assert_close(attend_overridden(tokens, override), (seen["weights"] - seen["plain"]) @ tokens.v)
    assert (seen["weights"][..., 1:4] == 0).all() and (seen["plain"] > 0).all()
    assert AttentionOverride(bias=torch.zeros(1, 1, 1, 5))[3:].bias.shape == (1, 1, 1, 5)
