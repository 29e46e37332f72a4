"""Last-block variants: expected values by hand on a few tokens."""

import math

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.attention import (
    ATTENTION_VARIANTS,
    HeadTokens,
    attend,
    attention_map,
    attention_variant,
    gaussian_bias,
    get_attention_variant,
)

# Those of attention.py itself: the variants of other files have tests of their own.
NAMES = sorted(
    name for name, variant in ATTENTION_VARIANTS.items() if variant.function.__module__ == attention_map.__module__
)
OPTIONS = {"proxy": dict(affinity=torch.eye(6).expand(2, 6, 6))}


@pytest.fixture
def tokens():
    q, k, v = torch.randn(3, 2, 4, 7, 8)
    return HeadTokens(q=q, k=k, v=v, grid=(2, 3), scale=8**-0.5, inputs=torch.randn(2, 7, 32))


def two_tokens():
    """One head of width 1, class token and one patch, scale 1."""
    q, k, v = ([1.0, 0.0], [0.0, 2.0], [10.0, 20.0])
    q, k, v = (torch.tensor(x).reshape(1, 1, 2, 1) for x in (q, k, v))
    return HeadTokens(q=q, k=k, v=v, grid=(1, 1), scale=1.0, inputs=torch.ones(1, 2, 4))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("value", [10.0, 20.0]),
        ("identity", [10.0, 20.0]),
        ("vanilla", [10 + 10 * sigmoid(2), 15.0]),  # logits [0, 2] and [0, 0]
        ("qq", [10 + 10 * sigmoid(-1), 15.0]),  # logits [1, 0] and [0, 0]
        ("kk", [15.0, 10 + 10 * sigmoid(4)]),  # logits [0, 0] and [0, 4]
        ("qq+kk", [25 + 10 * sigmoid(-1), 25 + 10 * sigmoid(4)]),  # sums of the two above
        ("kk+gaussian", [15.0, 10 + 10 * sigmoid(5)]),  # the patch sees itself with weight 1 more
    ],
)
def test_two_tokens_by_hand(name, expected):
    context = ATTENTION_VARIANTS[name].function(two_tokens())
    torch.testing.assert_close(context.flatten(), torch.tensor(expected))


@pytest.mark.parametrize("name", NAMES)
def test_map_times_values_is_the_context(name, tokens):
    variant, options = ATTENTION_VARIANTS[name], OPTIONS.get(name, {})
    weights = attention_map(variant, tokens, **options)
    assert weights.shape == (2, 4, 7, 7)
    rows = 2.0 if name == "qq+kk" else 1.0
    torch.testing.assert_close(weights.sum(-1), torch.full((2, 4, 7), rows))
    torch.testing.assert_close(weights @ tokens.v, variant.function(tokens, **options), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_images_of_a_batch_do_not_mix(name, tokens):
    variant, options = ATTENTION_VARIANTS[name], dict(OPTIONS.get(name, {}))
    batch = variant.function(tokens, **options)
    for index in range(2):
        fields = {field: getattr(tokens, field)[index : index + 1] for field in ("q", "k", "v", "inputs")}
        one = HeadTokens(grid=tokens.grid, scale=tokens.scale, **fields)
        if "affinity" in options:
            options["affinity"] = OPTIONS[name]["affinity"][index : index + 1]
        torch.testing.assert_close(variant.function(one, **options), batch[index : index + 1], atol=1e-6, rtol=1e-5)


def test_values_only_variants_need_no_queries_and_keys():
    for variant in ATTENTION_VARIANTS.values():
        if not variant.needs_qk:
            tokens = HeadTokens(q=None, k=None, v=torch.ones(1, 1, 2, 3), grid=(1, 1), scale=1.0)
            assert variant.function(tokens) is tokens.v


def test_papers_defaults():
    kept = {name: (variant.residual, variant.mlp) for name, variant in ATTENTION_VARIANTS.items()}
    assert kept["vanilla"] == kept["value"] == kept["qq+kk"] == (True, True)
    assert kept["qq"] == kept["kk"] == kept["kk+gaussian"] == kept["identity"] == kept["proxy"] == (False, False)
    assert kept["gem"] == (True, False)


def test_gaussian_window_by_hand():
    near, diagonal = math.exp(-0.5 / 4), math.exp(-1 / 4)  # distances 1 and sqrt(2), std 2
    expected = torch.tensor(
        [
            [0, 0, 0, 0, 0],
            [0, 1, near, near, diagonal],
            [0, near, 1, diagonal, near],
            [0, near, diagonal, 1, near],
            [0, diagonal, near, near, 1],
        ]
    )
    torch.testing.assert_close(gaussian_bias((2, 2), 2.0, like=torch.zeros(1)), expected)


def test_gaussian_window_follows_rows_and_columns():
    bias = gaussian_bias((2, 3), 1.0, prefix=0, like=torch.zeros(1))
    assert bias[0, 1] == pytest.approx(math.exp(-0.5))  # next column
    assert bias[0, 3] == pytest.approx(math.exp(-0.5))  # next row
    assert bias[0, 5] == pytest.approx(math.exp(-2.5))  # one row, two columns


def test_gaussian_window_leaves_registers_alone():
    bias = gaussian_bias((1, 2), 1.0, prefix=5, like=torch.zeros(1))
    assert bias.shape == (7, 7) and bias[:5].sum() == 0 and bias[:, :5].sum() == 0


def test_gaussian_window_wants_a_width():
    with pytest.raises(ValueError, match=r"must be positive.*got 0"):
        gaussian_bias((2, 2), 0, like=torch.zeros(1))


def test_proxy_cuts_links_below_the_mean():
    affinity = torch.tensor([[[1.0, 0.2], [0.2, 1.0]]])  # mean 0.6; 0.2 < 0.6 is cut, so each patch sees itself
    v = torch.tensor([5.0, 10.0, 20.0]).reshape(1, 1, 3, 1)
    tokens = HeadTokens(q=v, k=v, v=v, grid=(1, 2), scale=1.0)
    context = ATTENTION_VARIANTS["proxy"].function(tokens, affinity=affinity, beta=1.0, gamma=3.0)
    assert context.flatten().tolist() == [5.0, 10.0, 20.0]


def test_proxy_weights_by_hand():
    affinity = torch.tensor([[[1.0, 0.8], [0.8, 1.0]]])  # beta 0: logits 3 and 2.4
    v = torch.tensor([5.0, 10.0, 20.0]).reshape(1, 1, 3, 1)
    tokens = HeadTokens(q=v, k=v, v=v, grid=(1, 2), scale=1.0)
    context = ATTENTION_VARIANTS["proxy"].function(tokens, affinity=affinity, beta=0.0, gamma=3.0)
    assert context.flatten().tolist() == pytest.approx([5.0, 10 + 10 * sigmoid(-0.6), 10 + 10 * sigmoid(0.6)])


def test_proxy_of_another_grid_is_refused(tokens):
    with pytest.raises(ValueError, match=r"grid \(2, 3\).*got \(2, 4, 4\)"):
        ATTENTION_VARIANTS["proxy"].function(tokens, affinity=torch.ones(2, 4, 4))


def test_gem_without_refinement_is_the_mean_of_three_attentions(tokens):
    context = ATTENTION_VARIANTS["gem"].function(tokens, iterations=0, temperature=2.0)
    expected = 0
    for z in (tokens.q, tokens.k, tokens.v):
        z = F.normalize(z, dim=-1)
        expected = expected + (2 * z @ z.transpose(-1, -2)).softmax(-1) @ tokens.v / 3
    torch.testing.assert_close(context, expected, atol=1e-6, rtol=1e-5)


def test_gem_temperature_from_the_length_of_the_tokens(tokens):
    variant = ATTENTION_VARIANTS["gem"].function
    for index in range(2):
        temperature = float(tokens.inputs[index].norm(dim=-1).mean() * tokens.scale)
        given = variant(tokens, temperature=temperature)[index]
        torch.testing.assert_close(variant(tokens)[index], given, atol=1e-6, rtol=1e-5)


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match=r"kk\+gaussian.*got 'qqq'"):
        get_attention_variant("qqq")


def test_a_new_variant_is_a_decorated_function(tokens, monkeypatch):
    monkeypatch.setattr("ovdense.functional.attention.ATTENTION_VARIANTS", dict(ATTENTION_VARIANTS))

    @attention_variant("vv", residual=False, mlp=True)
    def value_value(tokens, *, sharpness: float = 1.0):
        return attend(tokens.v, tokens.v, tokens, scale=tokens.scale * sharpness)

    variant = get_attention_variant("vv")
    assert (variant.residual, variant.mlp) == (False, True)
    expected = (2 * tokens.scale * tokens.v @ tokens.v.transpose(-1, -2)).softmax(-1) @ tokens.v
    torch.testing.assert_close(variant.function(tokens, sharpness=2.0), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_low_precision(name, dtype, tokens):
    low = HeadTokens(
        **{field: getattr(tokens, field).to(dtype) for field in ("q", "k", "v", "inputs")}, grid=(2, 3), scale=8**-0.5
    )
    context = ATTENTION_VARIANTS[name].function(low, **OPTIONS.get(name, {}))
    full = ATTENTION_VARIANTS[name].function(tokens, **OPTIONS.get(name, {}))
    assert context.dtype == dtype
    torch.testing.assert_close(context.float(), full, atol=0.1, rtol=0.05)
