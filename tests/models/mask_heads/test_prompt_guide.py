"""PMP-style decoding on both kinds of mask decoder."""

import copy

import pytest
import torch
from mmdet.models.layers import DetrTransformerDecoder, Mask2FormerTransformerDecoder
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ovdense.models.mask_heads.prompt_guide import PromptAttention, PromptGuide


def layer_cfg():
    attention = dict(embed_dims=32, num_heads=4, batch_first=True)
    return dict(
        self_attn_cfg=dict(attention),
        cross_attn_cfg=dict(attention),
        ffn_cfg=dict(embed_dims=32, feedforward_channels=48, num_fcs=2),
    )


def detr():
    return DetrTransformerDecoder(num_layers=2, layer_cfg=layer_cfg(), return_intermediate=True)


def mask2former():
    return Mask2FormerTransformerDecoder(num_layers=2, layer_cfg=layer_cfg(), init_cfg=None)


def run(decoder, queries, memory, position):
    if isinstance(decoder, Mask2FormerTransformerDecoder):  # its head calls layer by layer
        for layer in decoder.layers:
            queries = layer(query=queries, key=memory, value=memory, query_pos=position, key_pos=None)
        return queries
    return decoder(query=queries, key=memory, value=memory, query_pos=position, key_pos=None, key_padding_mask=None)


def open_gates(decoder, value=0.7):
    for layer in decoder.layers:
        nn.init.constant_(layer.ffn.prompt.gate, value)


@pytest.fixture(params=[detr, mask2former], ids=["ovseg", "fcclip"])
def guided(request):
    plain = request.param()
    decoder = copy.deepcopy(plain)
    guide = PromptGuide(decoder, 20, num_heads=4)
    inputs = torch.randn(2, 5, 32), torch.randn(2, 35, 32), torch.randn(2, 5, 32)
    return plain, decoder, guide, inputs


def test_at_gate_0_it_is_the_base_decoder_bit_for_bit(guided):
    plain, decoder, guide, inputs = guided
    guide.set(torch.randn(7, 20))
    assert torch.equal(run(decoder, *inputs), run(plain, *inputs))


def test_prompts_have_no_order(guided):
    _, decoder, guide, inputs = guided
    open_gates(decoder)
    prompts = torch.randn(9, 20)
    guide.set(prompts)
    first = run(decoder, *inputs)
    guide.set(prompts[torch.randperm(9)])
    torch.testing.assert_close(run(decoder, *inputs), first, atol=1e-5, rtol=1e-5)
    guide.set(torch.randn(9, 20))
    assert not torch.allclose(run(decoder, *inputs), first, atol=1e-2)
    guide.set(None)
    assert not torch.allclose(run(decoder, *inputs), first, atol=1e-2)


def test_checkpoints_of_the_plain_decoder_load(guided):
    plain, decoder, guide, inputs = guided
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.2)
    missing, unexpected = decoder.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(".ffn.prompt." in key for key in missing)
    guide.set(torch.randn(3, 20))
    assert torch.equal(run(decoder, *inputs), run(plain, *inputs))


def test_a_gate_opens_and_then_the_rest_learns(guided):
    _, decoder, guide, inputs = guided
    guide.set(torch.randn(7, 20))
    run(decoder, *inputs).square().sum().backward()
    prompt = decoder.layers[0].ffn.prompt
    assert prompt.gate.grad.abs() > 0 and prompt.key.weight.grad.abs().sum() == 0
    open_gates(decoder)
    guide.set(torch.randn(7, 20))
    run(decoder, *inputs).square().sum().backward()
    assert prompt.key.weight.grad.abs().sum() > 0 and guide.project.weight.grad.abs().sum() > 0


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor had that any operation made."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(one, torch.Tensor):
                self.size = max(self.size, one.numel())
        return out


@pytest.mark.parametrize("learns", [False, True])
def test_ten_thousand_names_need_no_table_of_queries_by_names(learns):
    attention = PromptAttention(32, num_heads=4)
    nn.init.constant_(attention.gate, 0.5)
    queries, prompts = torch.randn(2, 250, 32), torch.randn(10_000, 32)
    with Largest() as largest, torch.set_grad_enabled(learns):
        out = attention(queries, prompts)
    assert largest.size <= 2 * 10_000 * 32 < 2 * 250 * 10_000  # keys of both images at most
    assert out.shape == queries.shape and out.isfinite().all()
    some = attention(queries, prompts[:3])
    weights = torch.softmax(
        attention._heads(attention.query(queries))
        @ attention._heads(attention.key(prompts[None, :3])).transpose(-1, -2)
        / 8**0.5,
        dim=-1,
    )
    read = (weights @ attention._heads(attention.value(prompts[None, :3]))).transpose(1, 2).flatten(2)
    expected = queries + 0.5 * (attention.norm(queries + attention.out(read)) - queries)
    torch.testing.assert_close(some, expected, atol=1e-5, rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="one FFN"):
        PromptGuide(nn.Linear(3, 3), 20)
    with pytest.raises(ValueError, match="multiple of num_heads"):
        PromptAttention(30, num_heads=4)
