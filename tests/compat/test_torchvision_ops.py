"""torchvision's operators, native or repaired: the same answers either way."""

import subprocess
import sys

import pytest
import torch
import torchvision

import ovdense  # noqa: F401  (repairs torchvision first)
from ovdense.compat import EMULATED, torchvision_ops
from ovdense.compat.roi_align_kernels import roi_align_average

BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 20, 30, 30]])
SCORES = torch.tensor([0.5, 0.9, 0.7])

emulated = pytest.mark.skipif(
    torchvision_ops.install()[0].state != EMULATED, reason="this torchvision has its own operators"
)


def test_nms_and_batched_nms():
    assert torchvision.ops.nms(BOXES, SCORES, 0.6).tolist() == [1, 2]
    assert torchvision.ops.batched_nms(BOXES, SCORES, torch.tensor([0, 0, 0]), 0.6).tolist() == [1, 2]
    assert torchvision.ops.batched_nms(BOXES, SCORES, torch.tensor([0, 1, 0]), 0.6).tolist() == [1, 2, 0]


def test_batched_nms_of_many_boxes_takes_the_per_class_path():
    boxes = BOXES.repeat(500, 1)
    keep = torchvision.ops.batched_nms(boxes, SCORES.repeat(500), torch.arange(1500) % 3, 0.6)
    assert keep.tolist() == [1, 2, 0]


def test_nms_threshold_is_a_double():
    # IoU 3/10 in float32 is a little above the double 0.3, and torchvision compares with the double.
    boxes = torch.tensor([[0.0, 0, 10, 1], [0, 0, 3, 1]])
    assert torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.3).tolist() == [0]


@pytest.mark.parametrize("ratio", [-1, 2])
def test_roi_align(ratio):
    features = torch.randn(2, 4, 16, 24, requires_grad=True)
    rois = torch.tensor([[0, 1.0, 2.0, 17.0, 12.0], [1, 3.0, 2.0, 60.0, 40.0]])
    pooled = torchvision.ops.roi_align(features, rois, (3, 3), 0.5, ratio, True)
    torch.testing.assert_close(pooled, roi_align_average(features, rois, (3, 3), 0.5, ratio, True))
    pooled.sum().backward()
    assert features.grad.abs().sum() > 0
    as_list = torchvision.ops.roi_align(features, [rois[:1, 1:], rois[1:, 1:]], 3, 0.5, ratio, True)
    torch.testing.assert_close(as_list, pooled)


def test_pyramid_pooling_uses_it():
    pool = torchvision.ops.MultiScaleRoIAlign(["a", "b"], output_size=2, sampling_ratio=2)
    maps = {"a": torch.ones(1, 3, 16, 16), "b": torch.ones(1, 3, 8, 8)}
    assert pool(maps, [BOXES], [(32, 32)]).allclose(torch.ones(3, 3, 2, 2))


@emulated
def test_other_operators_keep_torchvisions_error():
    with pytest.raises(RuntimeError, match="Couldn't load custom C"):
        torchvision.ops.roi_pool(torch.ones(1, 1, 4, 4), torch.tensor([[0, 0.0, 0, 2, 2]]), (1, 1))


def test_a_complete_torchvision_is_left_alone():
    """A process whose torchvision has its operators must see no declaration: it would abort."""
    code = """
import sys, types
vision = types.ModuleType("torchvision"); vision.__path__ = []
extension = types.ModuleType("torchvision.extension"); extension._has_ops = lambda: True
sys.modules["torchvision"], sys.modules["torchvision.extension"] = vision, extension
from ovdense.compat import torchvision_ops
print({fact.state for fact in torchvision_ops.install()}, torchvision_ops._library)
"""
    prelude = "import importlib.machinery, sys, types\n"
    blank = "sys.modules['ovdense'] = types.ModuleType('ovdense'); sys.modules['ovdense'].__path__ = ['ovdense']\n"
    blank += "sys.modules['ovdense.compat'] = types.ModuleType('ovdense.compat')\n"
    blank += "sys.modules['ovdense.compat'].__path__ = ['ovdense/compat']\n"
    run = subprocess.run([sys.executable, "-c", prelude + blank + code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "{'native'} None"


def test_an_unknown_failure_is_not_hidden(monkeypatch):
    def fail(name, *args, **kwargs):
        if name == "torchvision":
            raise RuntimeError("something else is wrong")
        return real_import(name, *args, **kwargs)

    import builtins

    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(RuntimeError, match="something else"):
        torchvision_ops._install()


def test_an_absent_torchvision_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    facts = torchvision_ops._install()
    assert {fact.state for fact in facts} == {"missing"}
    assert "pip install torchvision" in facts[0].remedy
