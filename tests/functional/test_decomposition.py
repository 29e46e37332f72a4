"""The parts of a decomposition, by hand."""

import torch

from ovdense.functional.attention import HeadTokens
from ovdense.functional.decomposition import AffineNorm, centred, foreground_map, phrase_heat, written_by_heads


def test_parts_of_the_attention_sum_to_its_output():
    weights = torch.rand(2, 3, 5, 5).softmax(-1)
    values = torch.randn(2, 3, 5, 4)
    tokens = HeadTokens(q=None, k=None, v=values, grid=(2, 2), scale=1.0)
    layer = torch.nn.Linear(12, 6)
    parts = written_by_heads(weights, tokens, layer.weight, layer.bias)
    expected = layer((weights @ values).transpose(1, 2).flatten(2))[:, 0]
    torch.testing.assert_close(parts.sum(dim=(1, 2)), expected)


def test_direct_effects_of_all_terms_sum_to_the_unit_embedding():
    torch.manual_seed(0)
    written = torch.randn(2, 3, 6)  # three terms
    norm, projection = torch.nn.LayerNorm(6), torch.randn(6, 4)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    stream = written.sum(1)
    embedding = norm(stream) @ projection
    affine = AffineNorm(
        mean=stream.mean(1, keepdim=True),
        std=(stream.var(1, keepdim=True, unbiased=False) + norm.eps).sqrt(),
        weight=norm.weight,
        bias=norm.bias,
        projection=projection,
        length=embedding.norm(dim=1, keepdim=True),
        terms=3,
    )
    unit = torch.nn.functional.normalize(embedding, dim=1)
    torch.testing.assert_close(affine.direct_effect(written).sum(1), unit)
    halves = torch.stack([written[:, 0] * 0.25, written[:, 0] * 0.75], dim=1)
    torch.testing.assert_close(affine.direct_effect(halves, 2).sum(1), affine.direct_effect(written)[:, 0])


def test_heat_leaves_the_class_token_out_and_one_phrase_is_not_centred():
    effects = torch.zeros(1, 2, 5, 1, 2)
    effects[0, :, 0], effects[0, 0, 3, 0] = 9.0, torch.tensor([1.0, 2.0])
    heat = phrase_heat(effects, torch.eye(2), (2, 2))
    assert heat.tolist() == [[[[0, 0], [1, 0]], [[0, 0], [2, 0]]]]
    assert centred(heat)[0, :, 1, 0].tolist() == [-0.5, 0.5] and torch.equal(centred(heat[:, :1]), heat[:, :1])
    shown = foreground_map(torch.tensor([[-1.0, 1.0], [2.0, 4.0]]))
    assert shown.tolist() == [[0, 0.25], [0.5, 1]] and foreground_map(torch.zeros(2, 2)).sum() == 0
