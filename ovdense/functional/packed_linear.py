"""Linear layers of frozen models on a CPU, with weights laid out once the way oneDNN's kernels read them.

``F.linear`` hands float32 layers to a BLAS that rearranges the weight in every call and, on some processors, does not
use their widest instructions. The results differ only in the order of sums.

Shapes: M rows, I inputs, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

FEWEST_ROWS = 64  # with fewer, rearranging the weight costs more than a batch gains
PROBE_STEP = 4099


@dataclass(frozen=True)
class _Packed:
    """A rearranged weight, and by what it is known that the weight is still the same."""

    tensor: Tensor
    version: int
    address: int
    probe: Tensor

    def fits(self, weight: Tensor) -> bool:
        unchanged = self.version == weight._version and self.address == weight.data_ptr()
        return unchanged and torch.equal(
            self.probe, _probe(weight)
        )  # writing to weight.data leaves the version as it is


_packed = WeakTensorKeyDictionary()  # weight -> {rows: _Packed}; goes with the weight, is in no state dict or copy


def packed_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, rows: slice = slice(None)) -> Tensor:
    """``F.linear(x, weight[rows], bias[rows])``, (..., I) x (O, I) -> (..., rows of O).

    Packed only where nothing is learned or traced: float32 on a CPU, frozen weight, no gradient through ``x``. The
    packed weight takes as much memory again and is kept for as long as the weight lives; it is made anew when the
    weight has changed. ``torch.backends.mkldnn.flags(enabled=False)`` saves the memory and gives up the speed.
    """
    if not _can_pack(x, weight):
        return F.linear(x, weight[rows], None if bias is None else bias[rows])
    packs = _packed.setdefault(weight, {})
    key = rows.indices(len(weight))
    pack = packs.get(key)
    if pack is None or not pack.fits(weight):
        tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach()[rows], x.numel() // x.shape[-1])
        pack = packs[key] = _Packed(tensor, weight._version, weight.data_ptr(), _probe(weight).clone())
    return torch.ops.mkldnn._linear_pointwise(x, pack.tensor, None if bias is None else bias[rows], "none", [], "")


def packed_layer(layer: torch.nn.Module, x: Tensor) -> Tensor:
    """``layer(x)``, packed if the layer is a plain ``nn.Linear`` without hooks."""
    if not isinstance(layer, torch.nn.Linear) or type(layer).forward is not torch.nn.Linear.forward:
        return layer(x)
    if layer._forward_hooks or layer._forward_pre_hooks:
        return layer(x)
    return packed_linear(x, layer.weight, layer.bias)


def _can_pack(x: Tensor, weight: Tensor) -> bool:
    return (
        type(x) is Tensor
        and x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not weight.requires_grad
        and not (x.requires_grad and torch.is_grad_enabled())
        and not weight.is_inference()
        and x.numel() >= FEWEST_ROWS * x.shape[-1]
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
    )


def _probe(weight: Tensor) -> Tensor:
    return weight.detach().flatten()[::PROBE_STEP]
