"""Checkpoints load whole or not at all, and run no code."""

import pickle

import pytest
import torch
from mmengine.logging import MessageHub
from safetensors.torch import save_file
from torch import nn

from ovdense.apis import CheckpointError, load_checkpoint


def model():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    net[2].requires_grad_(False)
    return net


def test_state_dicts_of_all_forms(tmp_path):
    source = model()
    state = source.state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pth")
    torch.save(dict(state_dict={f"module.{name}": value for name, value in state.items()}), tmp_path / "c.pth")
    for name in ("a.safetensors", "b.pth", "c.pth"):
        target = model()
        assert load_checkpoint(target, tmp_path / name) == {}
        assert torch.equal(target[0].weight, source[0].weight)


def test_checkpoints_of_mmengine(tmp_path):
    hub = MessageHub.get_instance("checkpoint-test")
    hub.update_scalar("train/loss", torch.tensor(1.5))
    content = dict(
        meta=dict(epoch=1, dataset_meta=dict(classes=("cat",))),
        state_dict=model().state_dict(),
        message_hub=hub.state_dict(),
    )
    torch.save(content, tmp_path / "epoch_1.pth")
    assert load_checkpoint(model(), tmp_path / "epoch_1.pth")["dataset_meta"]["classes"] == ("cat",)


def test_checkpoints_of_a_one_cycle_schedule(tmp_path):
    """mmengine's scheduler saves its curve as a method of its class."""
    from mmengine.optim import OneCycleLR

    source = model()
    scheduler = OneCycleLR(torch.optim.SGD(source.parameters(), 0.1), eta_max=0.1, total_steps=4)
    content = dict(state_dict=source.state_dict(), param_schedulers=[scheduler.state_dict()])
    torch.save(content, tmp_path / "iter_1.pth")
    target = model()
    load_checkpoint(target, tmp_path / "iter_1.pth")
    assert torch.equal(target[0].weight, source[0].weight)


def test_reading_a_checkpoint_leaves_mmengines_log_as_it_was(tmp_path):
    hub = MessageHub.get_instance("checkpoint log")
    hub.update_scalar("train/loss", 3.0)
    torch.save(dict(state_dict=model().state_dict(), message_hub=hub.state_dict()), tmp_path / "logged.pth")
    load_checkpoint(model(), tmp_path / "logged.pth")
    assert hub.get_scalar("train/loss").statistics("mean") == 3.0


def test_frozen_weights_may_be_missing(tmp_path):
    state = {name: value for name, value in model().state_dict().items() if not name.startswith("2.")}
    save_file(state, tmp_path / "a.safetensors")
    load_checkpoint(model(), tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("0.weight"), "1 weights are missing.*0.weight"),
        (lambda state: state.update(extra=torch.zeros(1)), "1 weights are unknown.*extra"),
        (lambda state: state.update({"0.bias": torch.zeros(9)}), r"0\.bias: \(9,\) in the file, \(3,\) in the model"),
    ],
)
def test_misfits_are_named(tmp_path, change, words):
    state, target = model().state_dict(), model()
    before = target[0].weight.clone()
    change(state)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=words):
        load_checkpoint(target, tmp_path / "a.pth")
    assert torch.equal(target[0].weight, before)


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a checkpoint was run')",)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(model(), tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match=r"cannot read checkpoint .*text\.pth"):
        load_checkpoint(model(), tmp_path / "text.pth")
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="got list"):
        load_checkpoint(model(), tmp_path / "list.pth")
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(dict(state_dict=Hostile())))
    with pytest.raises(CheckpointError, match=r"holds more than weights.*was not run"):
        load_checkpoint(model(), tmp_path / "evil.pth")
    (tmp_path / "empty.pth").touch()
    with pytest.raises(CheckpointError, match=r"empty\.pth: it is empty or damaged"):
        load_checkpoint(model(), tmp_path / "empty.pth")
