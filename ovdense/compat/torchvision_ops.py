"""torchvision on a torch that its binaries were not built for.

torchvision's wheel for CUDA imports on a CPU-only torch only when its operators are declared beforehand. Declaring them
where the binaries do load aborts the process, so the import is tried first and repaired on its known failure alone.
"""

from __future__ import annotations

import importlib
import math
import sys

import torch
from torch import Tensor

from ovdense.compat.facts import EMULATED, MISSING, NATIVE, OperatorFact
from ovdense.compat.nms_kernels import greedy_nms
from ovdense.compat.roi_align_kernels import roi_align_average

KNOWN_FAILURE = "operator torchvision::nms does not exist"
REMEDY = "install the torch and torchvision builds of one index, e.g. both for the same CUDA version"
ALL_OPERATORS = ("nms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
EMULATED_OPERATORS = ("nms", "roi_align")
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)

_library: torch.library.Library | None = None  # operators live as long as this reference
_facts: list[OperatorFact] | None = None


def install() -> list[OperatorFact]:
    """Make ``import torchvision`` work, with its NMS and RoIAlign; returns what is native and what is not."""
    global _facts
    if _facts is None:
        _facts = _install()
    return _facts


def _install() -> list[OperatorFact]:
    try:
        import torchvision  # noqa: F401
    except ImportError as error:
        remedy = f"pip install torchvision ({error})"
        return [OperatorFact("torchvision", name, MISSING, remedy) for name in ALL_OPERATORS]
    except RuntimeError as error:
        if KNOWN_FAILURE not in str(error):
            raise
        _declare()
        _forget("torchvision")
        importlib.import_module("torchvision")
    extension = importlib.import_module("torchvision.extension")
    if extension._has_ops():
        return [OperatorFact("torchvision", name, NATIVE) for name in ALL_OPERATORS]
    if _library is None:
        _declare()
    _implement()
    return [
        OperatorFact("torchvision", name, EMULATED if name in EMULATED_OPERATORS else MISSING, REMEDY)
        for name in ALL_OPERATORS
    ]


def _declare() -> None:
    """Declare the operators that torchvision's binary would have declared; only where that binary did not load."""
    global _library
    _library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMAS:
        _library.define(schema)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]


def _implement() -> None:
    """Give the declared operators plain torch kernels and open the two Python functions that guard them."""
    for device in ("CPU", "CUDA"):
        _library.impl("nms", _nms, device)
    _library.impl("roi_align", _roi_align, "CompositeImplicitAutograd")
    # Only these two modules: the others keep torchvision's own "Couldn't load custom C++ ops" error.
    for name in ("torchvision.ops.boxes", "torchvision.ops.roi_align"):
        module = importlib.import_module("torchvision.ops") and sys.modules[name]
        module._assert_has_ops = lambda: None
        module._has_ops = lambda: True


def _nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    # torchvision compares the float32 IoU with a double threshold: the same as comparing with the float32 below it.
    threshold = float(torch.tensor(iou_threshold, dtype=torch.float32))
    if dets.dtype != torch.float64 and threshold > iou_threshold:
        threshold = float(torch.nextafter(torch.tensor(threshold), torch.tensor(-math.inf)))
    return greedy_nms(dets, scores, iou_threshold if dets.dtype == torch.float64 else threshold)


def _roi_align(
    features: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    output_size = (pooled_height, pooled_width)
    return roi_align_average(features, rois, output_size, spatial_scale, sampling_ratio, aligned)
