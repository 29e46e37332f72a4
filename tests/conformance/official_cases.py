"""Folders of official outputs: what lies in them, whatever the method.

A case is a folder with ``meta.json`` (or ``*_meta.json``) and tensors in ``.safetensors`` or ``.npz`` files. Inputs and
outputs may share a file; weights lie in ``weights.safetensors`` or ``*_state.safetensors``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "tests" / "data" / "official"
FULL_SET = ROOT.parent / "shared" / "fixtures"
WEIGHTS = re.compile(r"^(weights|.*_state|.*weights)\.safetensors$")


@dataclass(frozen=True)
class Case:
    """One folder of official outputs."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def meta(self) -> dict:
        files = sorted(self.folder.glob("*meta.json"))
        return json.loads(files[0].read_text(encoding="utf-8")) if files else {}

    @cached_property
    def weights(self) -> Path | None:
        files = [path for path in sorted(self.folder.glob("*.safetensors")) if WEIGHTS.match(path.name)]
        return files[0] if files else None

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Inputs and expected outputs by name."""
        out = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path != self.weights:
                with safe_open(path, "pt") as file:
                    out.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        for path in sorted(self.folder.glob("*.npz")):
            with np.load(path) as file:
                out.update({key: torch.from_numpy(file[key]) for key in file.files})
        return out

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        with safe_open(self.weights, "pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118

    @cached_property
    def images(self) -> dict[str, Tensor]:
        """Input images (B,3,H,W) by tag: ``img_a`` is ``a``."""
        return {key.removeprefix("img_"): value for key, value in self.tensors.items() if key.startswith("img_")}

    def tag_of(self, point: str) -> str | None:
        """The input that an output belongs to: ``a/x``, ``csa/dense_a`` and ``a`` belong to ``img_a``."""
        tags = [
            tag
            for tag in self.images
            if point == tag or point.startswith(f"{tag}/") or point.endswith((f"_{tag}", f"/{tag}"))
        ]
        return max(tags, key=len) if tags else None

    def noted(self, pattern: str, default: str | None = None) -> str | None:
        """First group of a pattern in the free text of the meta file."""
        match = re.search(pattern, str(self.meta.get("note", "")))
        return match.group(1) if match else default


def find_cases(folder: Path) -> list[Case]:
    """All cases in a folder: itself, its folders, or the folders in those."""
    if not folder.is_dir():
        raise FileNotFoundError(f"--official-outputs must be a folder with cases, got {folder}")
    metas = [*folder.glob("*meta.json"), *folder.glob("*/*meta.json"), *folder.glob("*/*/*meta.json")]
    return [Case(path) for path in sorted({meta.parent for meta in metas})]
