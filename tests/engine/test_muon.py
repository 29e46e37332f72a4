"""Muon's update has singular values near 1, and the two halves of the optimizer step their own groups."""

from copy import deepcopy

import torch
from torch import nn

from ovdense.engine.muon import MuonAdamW, MuonConstructor, orthogonalise


def test_singular_values_come_near_one():
    torch.manual_seed(0)
    for shape in ((8, 32), (32, 8), (16, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values.min() > 0.6 and values.max() < 1.3


def test_a_diagonal_matrix_keeps_its_directions():
    update = orthogonalise(torch.diag(torch.tensor([3.0, -2.0])))
    assert update[0, 1].abs() < 1e-6 and update[1, 0].abs() < 1e-6
    assert update[0, 0] > 0.6 and update[1, 1] < -0.6


def test_groups_are_stepped_by_their_own_rule():
    model = nn.ModuleDict(dict(blocks=nn.Linear(6, 6), head=nn.Linear(6, 2)))
    wrapper = MuonConstructor(
        dict(type="OptimWrapper", optimizer=dict(type="MuonAdamW", lr=0.01, muon_lr=0.5, weight_decay=0.0)),
        dict(blocks="blocks"),
    )(model)
    before = {name: value.clone() for name, value in model.named_parameters()}
    model["head"](model["blocks"](torch.randn(4, 6))).sum().backward()
    gradient = model["blocks"].weight.grad.clone()
    wrapper.optimizer.step()
    moved = {name: value - before[name] for name, value in model.named_parameters()}
    # first step: momentum is 0.05 of the gradient, the update a positive multiple of it
    torch.testing.assert_close(moved["blocks.weight"], -0.5 * orthogonalise(gradient))
    # AdamW's first step moves every entry by the learning rate
    torch.testing.assert_close(moved["head.weight"].abs(), torch.full((2, 6), 0.01), rtol=1e-3, atol=0)
    assert [group["lr"] for group in wrapper.optimizer.param_groups] == [0.5, 0.01, 0.01]


def test_state_survives_saving():
    weight = nn.Parameter(torch.randn(4, 4))
    optimizer = MuonAdamW([dict(params=[weight], muon=True)])
    weight.grad = torch.randn(4, 4)
    optimizer.step()
    twin = nn.Parameter(weight.detach().clone())
    again = MuonAdamW([dict(params=[twin], muon=True)])
    again.load_state_dict(deepcopy(optimizer.state_dict()))
    weight.grad = torch.randn(4, 4)
    twin.grad = weight.grad.clone()
    optimizer.step(), again.step()
    torch.testing.assert_close(weight, twin)
