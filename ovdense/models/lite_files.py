"""Where the two sides of the embedded photo model read their weights and constants.

A lite model is a folder: ``config.json``, ``model.safetensors`` (the trunks and their ImageNet classifiers, as
published) and ``readout.safetensors`` (what this project fitted: extra rows, mean logits, text anchors).
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "models" / "lite"
WEIGHTS = ("model.safetensors", "readout.safetensors")


def lite_folder(folder: str | Path | None = None) -> Path:
    """The given folder, or the embedded model's."""
    folder = ASSETS if folder is None else Path(folder)
    missing = [name for name in ("config.json", *WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"a lite model is a folder with {', '.join(missing)}, got {folder}")
    return folder


def lite_config(folder: str | Path | None = None) -> dict:
    """The constants of both sides."""
    return json.loads((lite_folder(folder) / "config.json").read_text(encoding="utf8"))


@lru_cache(maxsize=4)
def lite_space(folder: str | Path | None = None) -> str:
    """Id of the text space: the name and a digest of the weights and the constants that shape the embedding."""
    digest = hashlib.sha256(json.dumps(lite_config(folder), sort_keys=True).encode())
    for name in WEIGHTS:
        digest.update((lite_folder(folder) / name).read_bytes())
    return f"lite/{digest.hexdigest()[:12]}"


def read_tensors(folder: str | Path | None, prefix: str) -> dict[str, Tensor]:
    """The tensors whose name starts with ``prefix``, without it, floats as float32."""
    tensors = {}
    for name in WEIGHTS:
        with safe_open(str(lite_folder(folder) / name), framework="pt") as file:
            keys = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
            tensors.update({key[len(prefix) :]: file.get_tensor(key) for key in keys})
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
