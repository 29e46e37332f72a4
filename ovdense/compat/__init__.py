"""The one place that knows about missing binaries. ``install()`` runs when ``ovdense`` is imported."""

from __future__ import annotations

from ovdense.compat import mm_names, mmcv_ops, torchvision_ops
from ovdense.compat.facts import EMULATED, MISSING, NATIVE, OperatorFact

_installed = False


def install() -> None:
    """Repair what the installed binaries lack; does nothing where they are complete, nor the second time."""
    global _installed
    if _installed:
        return
    torchvision_ops.install()
    mmcv_ops.install()
    mm_names.install()
    _installed = True


def report() -> list[OperatorFact]:
    """Which operators are native, emulated in plain torch, or missing, and what to do about it."""
    install()
    return [*torchvision_ops.install(), *mmcv_ops.install()]


__all__ = ["EMULATED", "MISSING", "NATIVE", "OperatorFact", "install", "report"]
