"""Weights of heads that learned: embedded ones by name, official files and checkpoints of ours."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "models"
PREFIX = "decode_head."


def load_head(head: nn.Module, source: str | Path, inner: str = "") -> None:
    """Loads a head from a file or the name of an embedded model; every name and shape must fit.

    Args:
        inner: prefix that official files leave out before every name.

    Raises:
        FileNotFoundError: neither a file nor an embedded model.
        ValueError: weights that are missing, unexpected or of another shape.
    """
    load_strictly(head, head_weights(source, inner), f"{source} for {type(head).__name__}")


def head_weights(source: str | Path, inner: str = "") -> dict[str, Tensor]:
    """A head's weights by the head's own names; ``decode_head.`` before them is taken off."""
    embedded = ASSETS / str(source) / "model.safetensors"
    tensors = read_state_dict(embedded if embedded.is_file() else source)
    if tensors and all(name.startswith(PREFIX) for name in tensors):
        tensors = {name.removeprefix(PREFIX): value for name, value in tensors.items()}
    if inner and not any(name.startswith(inner) for name in tensors):
        tensors = {inner + name: value for name, value in tensors.items()}
    return {name: value.float() for name, value in tensors.items()}
