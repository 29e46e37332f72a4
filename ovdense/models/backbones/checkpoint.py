"""Reading weight files without running what is in them.

safetensors first; ``.pt`` and ``.pth`` with ``weights_only=True``; TorchScript archives (OpenAI's original downloads)
only when the caller allows them. Files are memory-mapped, so that a tower which is not built costs no memory.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

JIT_REMEDY = (
    "is a TorchScript archive, which can run code when it is loaded. Convert it once where you trust it "
    "(safetensors.torch.save_file(torch.jit.load(path).state_dict(), 'clip.safetensors')), "
    "or pass allow_jit=True to load_clip"
)
NESTED = ("state_dict", "model_state_dict", "model", "module", "decoder")


def is_torchscript(path: Path) -> bool:
    """True for files that ``torch.jit.save`` wrote."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def is_mapped(path: Path) -> bool:
    """True for files whose tensors ``read_state_dict`` maps, so that holding them costs no memory of one's own."""
    return path.suffix == ".safetensors" or (zipfile.is_zipfile(path) and not is_torchscript(path))


def read_state_dict(path: str | Path, allow_jit: bool = False) -> dict[str, Tensor]:
    """Tensors of a local weight file by name; wrappers (``state_dict``, ``module.``) are taken off.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a weight file, or one that would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weight file {path}")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if is_torchscript(path):
        if not allow_jit:
            raise ValueError(f"{path} {JIT_REMEDY}")
        return plain_state_dict(torch.jit.load(path, map_location="cpu").state_dict())
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # unpickling errors have no common base
        reason = f"{type(error).__name__} {error}".strip().splitlines()[0]
        if isinstance(error, pickle.UnpicklingError):  # torch's text advises to let the file run code
            reason = "UnpicklingError"
        raise ValueError(
            f"{path} cannot be read with weights_only=True ({reason}): "
            "it is damaged or holds more than tensors; save its state dict as safetensors"
        ) from error
    return plain_state_dict(loaded, str(path))


def plain_state_dict(loaded: object, source: str = "the state dict") -> dict[str, Tensor]:
    """The flat name -> tensor mapping inside a checkpoint."""
    for name in NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
    if not isinstance(loaded, Mapping) or not any(isinstance(value, Tensor) for value in loaded.values()):
        raise ValueError(f"{source} holds no tensors by name, got {type(loaded).__name__}")
    tensors = {name: value for name, value in loaded.items() if isinstance(value, Tensor)}
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return tensors


@lru_cache(maxsize=64)
def _file_digest(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16] if hasattr(hashlib, "file_digest") else _hash(file)


def _hash(file) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 22):
        digest.update(chunk)
    return digest.hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """16 hexadecimal digits of a file's content; files that did not change are not read again."""
    path = Path(path).resolve()
    stat = path.stat()
    return _file_digest(str(path), stat.st_size, stat.st_mtime_ns)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits of the names, shapes and values of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Loads a state dict whose names and shapes must all fit (counters of batch norms may be missing).

    Raises:
        ValueError: lists what is missing, unexpected or of another shape; ``what`` names source and model.
    """
    expected = module.state_dict()
    common = sorted(set(tensors) & set(expected))
    parts = {
        "missing": sorted(key for key in set(expected) - set(tensors) if not key.endswith("num_batches_tracked")),
        "unexpected": sorted(set(tensors) - set(expected)),
        "of another shape": [
            f"{key} {tuple(tensors[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in common
            if tensors[key].shape != expected[key].shape
        ],
    }
    if any(parts.values()):
        listed = "; ".join(f"{len(keys)} {kind}: {_shorten(keys)}" for kind, keys in parts.items() if keys)
        raise ValueError(f"{what} does not fit: {listed}")
    for key in set(expected) - set(tensors):
        expected[key].zero_()
    module.load_state_dict(tensors, strict=False)


def _shorten(keys: list[str], count: int = 5) -> str:
    return ", ".join(keys[:count]) + (f" and {len(keys) - count} more" if len(keys) > count else "")
