"""Packed linear layers: the values of F.linear, and never those of a weight that has changed."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ovdense.functional import packed_linear as module
from ovdense.functional.packed_linear import packed_layer, packed_linear


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(96, 130).requires_grad_(False)


def is_packed(weight):
    return bool(module._packed.get(weight))


@pytest.mark.parametrize("shape", [(1, 785, 96), (3, 70, 96), (200, 96), (2, 96)])
@pytest.mark.parametrize("rows", [slice(None), slice(80, None), slice(0, 40)])
def test_equals_linear(layer, shape, rows):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    for bias in (layer.bias, None):
        expected = F.linear(x, layer.weight[rows], None if bias is None else bias[rows])
        torch.testing.assert_close(packed_linear(x, layer.weight, bias, rows), expected, atol=2e-6, rtol=1e-5)


def test_rows_that_do_not_lie_in_one_piece(layer):
    x = torch.randn(5, 96, 80, generator=torch.Generator().manual_seed(1)).transpose(1, 2)
    torch.testing.assert_close(packed_layer(layer, x), layer(x), atol=2e-6, rtol=1e-5)
    assert is_packed(layer.weight)


def test_a_changed_weight_is_packed_anew(layer):
    x = torch.randn(100, 96, generator=torch.Generator().manual_seed(1))
    packed_layer(layer, x)
    state = {name: tensor * 2 for name, tensor in layer.state_dict().items()}
    changes = (
        lambda: layer.load_state_dict(state),
        lambda: layer.weight.data.mul_(3),  # leaves the version counter as it is
        lambda: setattr(layer.weight, "data", torch.ones(130, 96)),
    )
    for change in changes:
        change()
        torch.testing.assert_close(packed_layer(layer, x), layer(x), atol=2e-5, rtol=1e-5)


def test_learning_goes_the_usual_way(layer):
    x = torch.randn(100, 96, generator=torch.Generator().manual_seed(1)).requires_grad_()
    packed_layer(layer, x).sum().backward()
    torch.testing.assert_close(x.grad[0], layer.weight.sum(0))
    learnt = nn.Linear(96, 8)
    packed_layer(learnt, x.detach()).sum().backward()
    assert learnt.weight.grad is not None
    assert not is_packed(layer.weight) and not is_packed(learnt.weight)


def test_hooks_other_dtypes_and_subclasses_go_the_usual_way(layer):
    x, seen = torch.randn(100, 96), []
    handle = layer.register_forward_hook(lambda *args: seen.append(args))
    packed_layer(layer, x)
    handle.remove()
    assert len(seen) == 1
    assert packed_layer(copy.deepcopy(layer).double(), x.double()).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert packed_layer(layer, x).dtype == torch.bfloat16
    assert packed_layer(nn.Identity(), x) is x
    assert not is_packed(layer.weight)


def test_copies_do_not_share_packed_weights(layer):
    x = torch.randn(100, 96)
    packed_layer(layer, x)
    twin = copy.deepcopy(layer)
    twin.weight.mul_(-1)
    torch.testing.assert_close(packed_layer(twin, x), F.linear(x, twin.weight, twin.bias), atol=2e-6, rtol=1e-5)
    assert set(twin.state_dict()) == {"weight", "bias"}
