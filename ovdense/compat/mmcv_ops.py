"""A stand-in for ``mmcv._ext`` where mmcv was installed without its compiled operators.

The stock wrappers of ``mmcv.ops`` call this module as they call the binary: positional tensors, keyword options,
outputs written in place.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import torch
from torch import Tensor

from ovdense.compat import nms_kernels, roi_align_kernels
from ovdense.compat.facts import EMULATED, MISSING, NATIVE, OperatorFact

EXTENSION = "mmcv._ext"
REMEDY = "install an mmcv wheel with compiled operators, or build it with MMCV_WITH_OPS=1 pip install onedl-mmcv"

_facts: list[OperatorFact] | None = None


def install() -> list[OperatorFact]:
    """Make ``import mmcv.ops`` work; returns what is native and what is not."""
    global _facts
    if _facts is None:
        _facts = _install()
    return _facts


def _install() -> list[OperatorFact]:
    try:
        import mmcv
    except ImportError as error:
        return [OperatorFact("mmcv", "*", MISSING, f"pip install onedl-mmcv ({error})")]
    reason = _why_not_native()
    if reason is None:
        return [OperatorFact("mmcv", "*", NATIVE)]
    mmcv._ext = sys.modules[EXTENSION] = StandIn()
    names = sorted(name for name in OPERATORS if not name.startswith("get_"))
    emulated = [OperatorFact("mmcv", name, EMULATED, REMEDY) for name in names]
    return [*emulated, OperatorFact("mmcv", "*", MISSING, f"{REMEDY} ({reason})")]


def _why_not_native() -> str | None:
    if isinstance(sys.modules.get(EXTENSION), StandIn) or importlib.util.find_spec(EXTENSION) is None:
        return "this mmcv has no compiled operators"
    try:
        importlib.import_module(EXTENSION)
    except (ImportError, OSError) as error:
        return f"its compiled operators do not load: {error}"
    return None


class StandIn(ModuleType):
    """Has every name that mmcv asks for; a name without a kernel raises when it is called, never on import."""

    def __init__(self) -> None:
        super().__init__(EXTENSION, __doc__)
        self.__spec__ = ModuleSpec(EXTENSION, loader=None)
        for name, function in OPERATORS.items():
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(f"module {EXTENSION!r} has no attribute {name!r}")

        def missing(*args, **kwargs):
            raise NotImplementedError(f"the mmcv operator {name!r} has no plain-torch version here: {REMEDY}")

        missing.__name__ = name
        return missing


def _nms(boxes: Tensor, scores: Tensor, *, iou_threshold: float, offset: int) -> Tensor:
    return nms_kernels.greedy_nms(boxes, scores, iou_threshold, offset)


def _roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    pool_mode: int,
    **options,
) -> None:
    size = (aligned_height, aligned_width)
    if pool_mode == 0:
        results = roi_align_kernels.roi_align_max(features, rois, size, **options)
        for target, result in zip((output, argmax_y, argmax_x), results):
            target.copy_(result)
    else:
        output.copy_(roi_align_kernels.roi_align_average(features, rois, size, **options))


def _roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    pool_mode: int,
    **options,
) -> None:
    shape = tuple(grad_input.shape)
    if len(rois) == 0:
        return
    if pool_mode == 0:
        grad_input += roi_align_kernels.roi_align_max_backward(grad_output, rois, argmax_y, argmax_x, shape)
    else:
        grad_input += roi_align_kernels.roi_align_average_backward(grad_output, rois, shape, **options)


def _ms_deform_attn(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)


def _ms_deform_attn_forward(
    value: Tensor, shapes: Tensor, level_start: Tensor, locations: Tensor, weights: Tensor, *, im2col_step: int
) -> Tensor:
    return _ms_deform_attn(value, shapes, locations, weights)


def _ms_deform_attn_backward(
    value: Tensor,
    shapes: Tensor,
    level_start: Tensor,
    locations: Tensor,
    weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_locations: Tensor,
    grad_weights: Tensor,
    *,
    im2col_step: int,
) -> None:
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in (value, locations.to(value), weights.to(value))]
        output = _ms_deform_attn(inputs[0], shapes, inputs[1], inputs[2])
    grads = torch.autograd.grad(output, inputs, grad_output)
    for target, grad in zip((grad_value, grad_locations, grad_weights), grads):
        target.copy_(grad)


OPERATORS: dict[str, Callable] = {
    "nms": _nms,
    "softnms": nms_kernels.soft_nms,
    "roi_align_forward": _roi_align_forward,
    "roi_align_backward": _roi_align_backward,
    "ms_deform_attn_forward": _ms_deform_attn_forward,
    "ms_deform_attn_backward": _ms_deform_attn_backward,
    "get_compiler_version": lambda: "none (operators emulated in plain torch by ovdense)",
    "get_compiling_cuda_version": lambda: "not available",
}
