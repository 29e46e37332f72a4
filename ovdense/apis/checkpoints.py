"""Loading trained weights into a built model, strictly."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import nn


class CheckpointError(ValueError):
    """Weights that cannot be read or do not fit; the message says what differs."""


def load_checkpoint(model: nn.Module, path: str | Path) -> dict:
    """Loads weights of an mm checkpoint, a plain state dict or a safetensors file.

    Frozen parameters may be missing (the towers come from their own files); everything trainable must be there, nothing
    may be left over, and every shape must agree.

    Returns:
        The checkpoint's ``meta`` (``dataset_meta``, ``cfg``, ...), empty if it has none.

    Raises:
        CheckpointError: unreadable, or it does not fit.
    """
    weights, meta = read_checkpoint(path)
    own = model.state_dict()
    unknown = sorted(set(weights) - set(own))
    required = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    missing = sorted(required - set(weights))
    shapes = sorted(
        f"{name}: {tuple(weights[name].shape)} in the file, {tuple(own[name].shape)} in the model"
        for name in set(weights) & set(own)
        if weights[name].shape != own[name].shape
    )
    for problem, names in (("unknown", unknown), ("missing", missing), ("of other shapes", shapes)):
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            raise CheckpointError(
                f"checkpoint {path} does not fit {type(model).__name__}: {len(names)} weights are {problem}; use the "
                f"config it was trained with; got {'; '.join(names[:4])}{more}"
            )
    model.load_state_dict(weights, strict=False)
    return meta


def read_checkpoint(path: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Weights by name and meta data of a file, on the CPU, without running any code from it."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no such checkpoint: {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path), {}
        with torch.serialization.safe_globals(_harmless_types()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a broken or hostile file raises whatever it likes
        raise CheckpointError(f"cannot read checkpoint {path}: {_reason(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"checkpoint {path} holds no state dict, got {type(content).__name__}")
    weights = content.get("state_dict", content.get("model", content))
    weights = {name.removeprefix("module."): value for name, value in weights.items() if torch.is_tensor(value)}
    if not weights:
        raise CheckpointError(f"checkpoint {path} holds no weights, got the keys {sorted(map(str, content))[:8]}")
    return weights, content.get("meta", {}) if "state_dict" in content else {}


class _LogHistory:
    """Stands in for mmengine's HistoryBuffer, whose unpickling changes what every other one in the process can do, and
    for the scheduler class that a one-cycle schedule names."""

    def __setstate__(self, state: dict) -> None:
        """Keeps nothing: who reads weights needs no log."""


def _reason(error: Exception) -> str:
    """In one line; torch's own advice for pickles is to let the file run code, which is not passed on."""
    if isinstance(error, pickle.UnpicklingError):
        return "it is no file of weights, or it holds more than weights and plain data (code in it was not run)"
    return " ".join(str(error).split()) or f"it is empty or damaged ({type(error).__name__})"


def _harmless_types() -> list:
    """Types of plain data in mmengine's checkpoints (the log's history and numpy scalars)."""
    import numpy as np

    kinds = [np.ndarray, np.dtype, np._core.multiarray._reconstruct, np._core.multiarray.scalar]
    kinds.append((_LogHistory, "mmengine.logging.history_buffer.HistoryBuffer"))
    kinds.append(
        (_LogHistory, "mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler")
    )  # it pickles its curve
    kinds.append((_no_method, "builtins.getattr"))  # the history pickles its bound methods; nothing here calls them
    return kinds + [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.uint32, bool)]


def _no_method(*_) -> None:
    """Stands in for ``getattr``, which a hostile file could use to reach anything."""
