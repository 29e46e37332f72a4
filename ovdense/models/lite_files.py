"""Where the two sides of the embedded photo model read their weights and constants."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "models" / "lite"


def lite_files(folder: str | Path | None = None) -> tuple[dict, Path]:
    """(config, path of the weights) of the embedded photo model, or of another one in the same layout."""
    folder = ASSETS if folder is None else Path(folder)
    config, weights = folder / "config.json", folder / "model.safetensors"
    if not config.is_file() or not weights.is_file():
        raise FileNotFoundError(f"a lite model is a folder with config.json and model.safetensors, got {folder}")
    return json.loads(config.read_text(encoding="utf8")), weights


@lru_cache(maxsize=4)
def lite_space(folder: str | Path | None = None) -> str:
    """Id of the text space: the name and a digest of the weights and the constants that shape the embedding."""
    config, weights = lite_files(folder)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    digest.update(weights.read_bytes())
    return f"lite/{digest.hexdigest()[:12]}"


def read_tensors(weights: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors whose name starts with ``prefix``, without it, floats as float32."""
    with safe_open(str(weights), framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        tensors = {name[len(prefix) :]: file.get_tensor(name) for name in names}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
