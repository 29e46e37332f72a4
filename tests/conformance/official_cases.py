"""Folders of official outputs: what lies in them, whatever the method.

A case is a folder with tensors in ``.safetensors`` or ``.npz`` files, however they are split, and ``meta.json`` (or
``*_meta.json``); in a folder with several ``<name>_meta.json``, the files of one of these names. Weights are the file
of that name (``weights``, ``state_dict``, ``*_state``, ``*_weights``) or the one that holds a patch convolution. What a
case lacks (weights, inputs, meta entries) is taken from the case of the same method in ``tests/data/official``.

There, tensors that several cases share lie once: ``weights_from.json`` of a case names, for each other case, the
tensors to be taken from it (``python tests/conformance/share_weights.py`` moves them out).
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "tests" / "data" / "official"
FULL_SET = ROOT.parent / "shared" / "fixtures"
WEIGHTS = re.compile(r"^(.*_)?(weights|state|state_dict)\.safetensors$")
INPUT = re.compile(r"^(text|query_idx|image|box|(?:img|mask_in|masks|dino_qplusk_normed)_(?P<tag>.+))$")
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Case:
    """One folder of official outputs, or the files of one name in a folder that holds several cases."""

    folder: Path
    stem: str = ""

    @property
    def name(self) -> str:
        return f"{self.folder.name}_{self.stem}" if self.stem else self.folder.name

    def files(self, pattern: str) -> list[Path]:
        """The case's own files of a pattern."""
        found = sorted(self.folder.glob(pattern))
        if not self.stem:
            return found
        others = [stem for stem in stems_of(self.folder) if stem != self.stem and stem.startswith(f"{self.stem}_")]
        mine = re.compile(rf"{re.escape(self.stem)}(_(meta|state|weights)|)\.\w+")
        return [path for path in found if mine.fullmatch(path.name) and not path.name.startswith(tuple(others))]

    @cached_property
    def own_meta(self) -> dict:
        files = self.files("*meta.json")
        return json.loads(files[0].read_text(encoding="utf-8")) if files else {}

    @cached_property
    def weights_file(self) -> Path | None:
        """The weights that lie in the folder itself."""
        files = self.files("*.safetensors")
        named = [path for path in files if WEIGHTS.match(path.name)]
        return next(iter(named or filter(_holds_weights, files)), None)

    @cached_property
    def own_weights(self) -> Path | None:
        """The case's weights in one file, with what it shares with other cases."""
        listed = self.folder / "weights_from.json"
        return _with_shared(self.weights_file, listed) if listed.is_file() else self.weights_file

    @cached_property
    def stored(self) -> dict[str, Tensor]:
        """Tensors of the folder itself, as they are stored."""
        out = {}
        for path in self.files("*.safetensors"):
            if path != self.weights_file:
                with safe_open(path, "pt") as file:
                    out.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        for path in self.files("*.npz"):
            with np.load(path) as file:
                out.update({key: torch.from_numpy(file[key]) for key in file.files})
        expected = self.folder / "expected.json"
        if expected.is_file():
            out.update(_scalars(json.loads(expected.read_text(encoding="utf-8"))))
        return out

    @cached_property
    def base(self) -> Case | None:
        """The shipped case of the same method, which fills in what this one lacks."""
        if self.folder.parent == SHIPPED:
            return None
        names = [path.name for path in SHIPPED.iterdir() if path.is_dir()]
        found = closest_name((self.name, str(self.own_meta.get("method", ""))), names)
        return Case(SHIPPED / found) if found else None

    @cached_property
    def meta(self) -> dict:
        """The meta file; the shipped case's entries where it has none, unless the weights are of another shape."""
        if self.base is None:
            return self.own_meta
        filled = dict(self.base.meta)
        if self.own_weights and _shapes(self.own_weights) != self.base.weight_shapes:
            filled = {key: value for key, value in filled.items() if key not in ("vit", "resnet")}
        return {**filled, **self.own_meta}

    @property
    def weights(self) -> Path | None:
        return self.own_weights or (self.base and self.base.weights)

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        return {} if self.weights is None else _shapes(self.weights)

    @cached_property
    def borrowed(self) -> dict[str, Tensor]:
        """Inputs of the shipped case that this one lacks; the classes of its text only for a text of as many rows."""
        if self.base is None:
            return {}
        theirs = {key: value for key, value in self.base.stored.items() if INPUT.match(key) and key not in self.stored}
        if "text" in self.stored and len(self.stored["text"]) != len(self.base.stored.get("text", ())):
            theirs.pop("query_idx", None)
        return theirs

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Inputs and expected outputs by name, floats in single precision."""
        every = {**self.borrowed, **self.stored}
        return {key: value.float() if value.is_floating_point() else value for key, value in every.items()}

    @property
    def outputs(self) -> list[str]:
        """Names of the folder's own tensors that are no inputs."""
        return [key for key in self.stored if not INPUT.match(key)]

    @cached_property
    def images(self) -> dict[str, Tensor]:
        """Input images (B,3,H,W) by tag: ``img_a`` is ``a``."""
        return {key.removeprefix("img_"): value for key, value in self.tensors.items() if key.startswith("img_")}

    def rounding(self, point: str) -> float:
        """Relative error that storing an output in half precision has left in it."""
        dtype = self.stored[point].dtype
        return torch.finfo(dtype).eps / 2 if dtype in HALF else 0.0

    def filled_in(self) -> str:
        """What the shipped case had to supply, in words; empty if nothing."""
        tags = {self.tag_of(point) for point in self.outputs}
        names = [key for key in self.borrowed if (tag := INPUT.match(key)["tag"]) is None or tag in tags]
        if self.base is not None and self.own_weights is None and self.base.weights:
            names.insert(0, "weights")
        if self.base is not None and not self.own_meta:
            names.insert(0, "meta")
        return f"{', '.join(names)} of tests/data/official/{self.base.name}" if names else ""

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


def _scalars(content: dict, prefix: str = "") -> dict[str, Tensor]:
    """The numbers of a json as 0-d tensors, by their path: ``group/figure``; lists are left out."""
    out = {}
    for key, value in content.items():
        if isinstance(value, dict):
            out.update(_scalars(value, f"{prefix}{key}/"))
        elif isinstance(value, (int, float)):
            out[f"{prefix}{key}"] = torch.tensor(value, dtype=torch.float64)
    return out


def find_cases(folder: Path) -> list[Case]:
    """All cases in a folder, itself or anywhere below."""
    if not folder.is_dir():
        raise FileNotFoundError(f"--official-outputs must be a folder with cases, got {folder}")
    files = [path for pattern in ("*meta.json", "*.safetensors", "*.npz") for path in folder.rglob(pattern)]
    if not files:
        raise FileNotFoundError(
            f"--official-outputs needs folders with meta.json and .safetensors or .npz files, found none in {folder}"
        )
    folders = sorted({file.parent for file in files})
    return [Case(path, stem) for path in folders for stem in stems_of(path) or [""]]


def stems_of(folder: Path) -> list[str]:
    """Names of the cases that lie side by side in one folder; empty where it holds a single one."""
    stems = sorted(path.name.removesuffix("_meta.json") for path in folder.glob("*_meta.json"))
    return stems if len(stems) > 1 else []


def closest_name(texts: Iterable[str], names: Iterable[str]) -> str | None:
    """The longest of the names that stands, as whole words, in the first text that has any."""
    for text in texts:
        simple = re.sub(r"[^a-z0-9]+", "_", text.lower())
        found = [name for name in names if f"_{name}_" in f"_{simple}_"]
        if found:
            return max(found, key=len)
    return None


def _with_shared(own: Path | None, listed: Path) -> Path:
    """One temporary file of a case's own tensors and those that ``listed`` takes from other cases."""
    tensors = load_file(own) if own else {}
    for other, keys in json.loads(listed.read_text(encoding="utf-8")).items():
        source = Case(listed.parent.parent / other).own_weights
        with safe_open(source, "pt") as file:
            tensors.update({key: file.get_tensor(key) for key in keys})
    merged = Path(mkdtemp(prefix="ovdense-official-")) / "weights.safetensors"
    atexit.register(shutil.rmtree, merged.parent, ignore_errors=True)
    save_file(tensors, merged)
    return merged


def _holds_weights(path: Path) -> bool:
    return any(name.endswith("conv1.weight") for name in _shapes(path))


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, "pt") as file:
        return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
