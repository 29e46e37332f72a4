"""Weights of heads that learned: embedded ones by name, official files and checkpoints of ours."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from ovdense.models.backbones.checkpoint import load_strictly, read_state_dict

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "models"
PREFIX = "decode_head."


def load_head(module: nn.Module, source: str | Path, *prefixes: str) -> None:
    """Loads a head, or a part of it, from a file or the name of an embedded model; names and shapes must all fit.

    Args:
        prefixes: taken off the names, like ``decode_head.``, where all of them have it.

    Raises:
        FileNotFoundError: neither a file nor an embedded model.
        ValueError: weights that are missing, unexpected or of another shape.
    """
    load_strictly(module, head_weights(source, *prefixes), f"{source} for {type(module).__name__}")


def head_weights(source: str | Path, *prefixes: str) -> dict[str, Tensor]:
    """A head's weights under its own names."""
    embedded = ASSETS / str(source) / "model.safetensors"
    path = embedded if embedded.is_file() else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"no head weights {source}: tools/model_converters/import_heads.py makes them of official files and of "
            "checkpoints of a training"
        )
    tensors = read_state_dict(path)
    for prefix in (PREFIX, *prefixes):
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return {name: value.float() for name, value in tensors.items()}
