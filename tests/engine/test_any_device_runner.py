"""The tools' runner in a process group of one, on the CPU."""

import pytest
import torch
from mmengine.model import BaseModel, MMDistributedDataParallel

from ovdense.engine import AnyDeviceRunner


class Toy(BaseModel):
    def __init__(self, trained):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1), requires_grad=trained)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return inputs * self.scale


@pytest.fixture
def process(monkeypatch, tmp_path):
    """One process as ``torch.distributed.run`` starts it; no CUDA, no ports: the processes meet at a file."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    start = torch.distributed.init_process_group
    meet = dict(init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend: start(backend, **meet))
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("trained", "kind"), [(True, MMDistributedDataParallel), (False, Toy)])
def test_models_with_and_without_trainable_weights(process, tmp_path, trained, kind):
    settings = dict(launcher="pytorch", default_scope="ovdense", experiment_name=f"any-device-{trained}")
    runner = AnyDeviceRunner(model=Toy(trained), work_dir=str(tmp_path), cfg=dict(launcher="pytorch"), **settings)
    assert torch.distributed.get_backend() == "gloo" and type(runner.model) is kind


def test_launcher_that_needs_gpus(process, tmp_path):
    settings = dict(launcher="slurm", default_scope="ovdense", experiment_name="any-device-slurm")
    with pytest.raises(RuntimeError, match="launcher pytorch, got 'slurm'"):
        AnyDeviceRunner(model=Toy(True), work_dir=str(tmp_path), cfg=settings, **settings)
