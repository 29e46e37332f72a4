"""Cases whose weights hold two models: one file each, and the config of a tiny DINO."""

from __future__ import annotations

import math
import re
import tempfile
from functools import lru_cache
from pathlib import Path

from official_cases import Case
from safetensors.torch import save_file

from ovdense.models.backbones.checkpoint import read_state_dict


@lru_cache
def split_weights(path: Path, *prefixes: str) -> dict[str, Path]:
    """A weight file taken apart by the names' first parts: one file each in a temporary folder, ``visual`` the rest."""
    folder = Path(tempfile.mkdtemp(prefix="official-weights-"))
    parts: dict[str, dict] = {}
    for key, tensor in read_state_dict(path).items():
        name, _, rest = key.partition(".")
        parts.setdefault(name if name in prefixes else "visual", {})[rest if name in prefixes else key] = tensor
    for name, tensors in parts.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return {name: folder / f"{name}.safetensors" for name in parts}


def dino_config(case: Case, weights: Path, prefix: str = "dino") -> dict:
    """Config of a DINO (v1) from the shapes of its weights; heads from the meta file, else of 16 channels."""
    tensors, stated = read_state_dict(weights), case.meta.get(prefix, {})
    width, _, patch, _ = tensors["patch_embed.proj.weight"].shape
    side = math.isqrt(tensors["pos_embed"].shape[1] - 1)
    blocks = {int(found.group(1)) for key in tensors if (found := re.match(r"blocks\.(\d+)\.", key))}
    return dict(
        type="DINOBackbone",
        model="vit_small_patch8_224.dino",
        pretrained=str(weights),
        model_options=dict(
            img_size=side * patch,
            patch_size=patch,
            embed_dim=width,
            depth=len(blocks),
            num_heads=int(stated.get("heads", width // 16)),
        ),
    )
