"""The stock wrappers of mmcv.ops, over the binary or over the stand-in: the same answers either way."""

import pytest
import torch
from mmcv.ops import MultiScaleDeformableAttention, RoIAlign, batched_nms, nms, roi_align, soft_nms
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction, multi_scale_deformable_attn_pytorch
from mmcv.utils import ext_loader

import ovdense  # noqa: F401  (puts the stand-in in place)
from ovdense import compat
from ovdense.compat import mmcv_ops

BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [20, 20, 30, 30]])
SCORES = torch.tensor([0.5, 0.9, 0.7])

emulated = pytest.mark.skipif(mmcv_ops.install()[0].state != compat.EMULATED, reason="this mmcv has its own operators")


def test_nms_wrapper_returns_boxes_with_scores():
    dets, keep = nms(BOXES, SCORES, 0.6)
    assert keep.tolist() == [1, 2]
    torch.testing.assert_close(dets, torch.tensor([[2, 0, 12, 10, 0.9], [20, 20, 30, 30, 0.7]]))
    assert nms(BOXES, SCORES, 0.6, score_threshold=0.8)[1].tolist() == [1]
    assert nms(BOXES, SCORES, 0.7, max_num=2)[1].tolist() == [1, 2]
    assert nms(BOXES.numpy(), SCORES.numpy(), 0.6)[1].tolist() == [1, 2]


@pytest.mark.parametrize("split", [10000, 2])
def test_batched_nms_keeps_classes_apart(split):
    classes = torch.tensor([0, 1, 0])
    config = dict(type="nms", iou_threshold=0.6, split_thr=split)
    assert batched_nms(BOXES, SCORES, classes, config)[1].tolist() == [1, 2, 0]
    merged = torch.zeros_like(classes)
    assert batched_nms(BOXES, SCORES, merged, config)[1].tolist() == [1, 2]


def test_soft_nms_wrapper():
    dets, keep = soft_nms(BOXES, SCORES, 0.3, method="linear")
    assert keep.tolist() == [1, 2, 0]
    torch.testing.assert_close(dets[:, 4], torch.tensor([0.9, 0.7, 0.5 / 3]))
    dets, keep = soft_nms(BOXES, SCORES, 0.3, method="naive", min_score=0.6)
    assert keep.tolist() == [1, 2] and len(dets) == 2
    batched = batched_nms(BOXES, SCORES, torch.tensor([0, 0, 0]), dict(type="soft_nms", iou_threshold=0.3))
    assert batched[1].tolist() == [1, 2, 0]


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
def test_roi_align_wrapper_trains(mode, ratio, aligned):
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 2, 5, 6, dtype=torch.double, generator=generator, requires_grad=True)
    rois = torch.tensor([[0, 1.0, 2.0, 17.0, 12.0], [1, 3.0, 2.0, 22.0, 19.0]], dtype=torch.double)
    assert torch.autograd.gradcheck(RoIAlign((2, 3), 0.25, ratio, mode, aligned), (features, rois))
    empty = roi_align(features, rois[:0], (2, 3), 0.25, ratio, mode, aligned)
    assert empty.shape == (0, 2, 2, 3)
    empty.sum().backward()


def test_deformable_attention_forward_and_backward():
    """The custom-op route, which mmcv takes on CUDA, equals its plain PyTorch route."""
    generator = torch.Generator().manual_seed(4)
    shapes = torch.tensor([[4, 3], [2, 2]])
    start = torch.tensor([0, 12])
    value = torch.rand(2, 16, 2, 4, generator=generator, dtype=torch.double, requires_grad=True)
    places = torch.rand(2, 5, 2, 2, 3, 2, generator=generator, dtype=torch.double, requires_grad=True)
    weights = torch.rand(2, 5, 2, 2, 3, generator=generator, dtype=torch.double, requires_grad=True)
    if mmcv_ops.install()[0].state != compat.EMULATED:
        pytest.skip("the compiled operator has no CPU kernel")
    got = MultiScaleDeformableAttnFunction.apply(value, shapes, start, places, weights, 64)
    expected = multi_scale_deformable_attn_pytorch(value, shapes, places, weights)
    torch.testing.assert_close(got, expected)
    grad = torch.rand(got.shape, generator=generator, dtype=torch.double)
    inputs = (value, places, weights)
    for mine, reference in zip(torch.autograd.grad(got, inputs, grad), torch.autograd.grad(expected, inputs, grad)):
        torch.testing.assert_close(mine, reference)


def test_deformable_attention_module_runs():
    layer = MultiScaleDeformableAttention(embed_dims=16, num_levels=1, num_heads=2, batch_first=True)
    query = torch.rand(1, 12, 16)
    reference = torch.full((1, 12, 1, 2), 0.5)
    out = layer(
        query,
        value=query,
        reference_points=reference,
        spatial_shapes=torch.tensor([[3, 4]]),
        level_start_index=torch.tensor([0]),
    )
    assert out.shape == (1, 12, 16)


@emulated
def test_missing_operators_import_and_name_themselves():
    from mmcv.ops import RoIPool

    extension = ext_loader.load_ext("_ext", ["roi_pool_forward", "any_future_operator"])
    with pytest.raises(NotImplementedError, match=r"'any_future_operator'.*MMCV_WITH_OPS=1"):
        extension.any_future_operator()
    with pytest.raises(NotImplementedError, match="'roi_pool_forward'"):
        RoIPool(2)(torch.ones(1, 1, 4, 4), torch.tensor([[0, 0.0, 0, 2, 2]]))
    assert not hasattr(extension, "__wrapped__")


@emulated
def test_version_questions_are_answered():
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    assert "ovdense" in get_compiler_version()
    assert get_compiling_cuda_version() == "not available"


def test_install_is_idempotent_and_reports():
    import sys

    before = sys.modules["mmcv._ext"]
    compat.install()
    assert sys.modules["mmcv._ext"] is before
    facts = compat.report()
    assert facts == compat.report()
    assert {fact.library for fact in facts} == {"torchvision", "mmcv"}
    assert all(fact.remedy for fact in facts if fact.state != compat.NATIVE)
    assert facts[0].to_dict().keys() == {"library", "operator", "state", "remedy"}


def test_a_native_extension_is_used_as_it_is(monkeypatch):
    import importlib.util
    import sys
    from types import ModuleType

    native = ModuleType("mmcv._ext")
    native.__spec__ = importlib.util.spec_from_loader("mmcv._ext", loader=None)
    monkeypatch.setitem(sys.modules, "mmcv._ext", native)
    facts = mmcv_ops._install()
    assert [fact.state for fact in facts] == [compat.NATIVE]
    assert sys.modules["mmcv._ext"] is native


def test_an_extension_that_does_not_load_is_replaced(monkeypatch):
    import sys

    import mmcv

    monkeypatch.setattr(mmcv, "_ext", mmcv._ext)
    monkeypatch.setitem(sys.modules, "mmcv._ext", sys.modules["mmcv._ext"])
    del sys.modules["mmcv._ext"]

    def broken(name):
        raise ImportError("undefined symbol: _ZN3c10")

    monkeypatch.setattr(mmcv_ops.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(mmcv_ops.importlib, "import_module", broken)
    facts = mmcv_ops._install()
    assert facts[0].state == compat.EMULATED
    assert "undefined symbol" in facts[-1].remedy
