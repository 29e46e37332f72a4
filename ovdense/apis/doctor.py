"""What works on this machine, what is emulated or missing, which weights are here, and what to do about each.

Looks at installed packages and folders only; never touches the network and never loads a model.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from itertools import groupby
from pathlib import Path
from typing import TextIO

import torch

import ovdense
from ovdense import compat
from ovdense.models.backbones.open_clip_loader import ASSETS
from ovdense.models.text_encoders.cache import default_cache_dir

PACKAGES = {
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "mmengine": ("onedl-mmengine", "mmengine"),
    "mmcv": ("onedl-mmcv", "mmcv", "mmcv-lite"),
    "mmdet": ("onedl-mmdetection", "mmdet"),
    "mmseg": ("onedl-mmsegmentation", "mmsegmentation"),
    "open_clip": ("open_clip_torch",),
    "timm": ("timm",),
    "numpy": ("numpy",),
    "opencv": ("opencv-python", "opencv-python-headless"),
    "pycocotools": ("pycocotools",),
    "safetensors": ("safetensors",),
}
WEIGHT_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")


def run_doctor(stream: TextIO | None = None) -> int:
    """Prints the report; returns 1 if a required package is missing, else 0."""
    facts = collect()
    print(render(facts), file=stream or sys.stdout)
    return int(any(package["version"] is None for package in facts["packages"]))


def doctor() -> dict:
    """The same facts for programs; see :func:`collect`."""
    return collect()


def collect() -> dict:
    """Facts by section: ``packages``, ``device``, ``operators``, ``models``, ``hub``, ``text_cache``."""
    return dict(
        packages=_packages(),
        device=_device(),
        operators=[fact.to_dict() for fact in compat.report()],
        models=_embedded_models(),
        hub=_hub_weights(),
        text_cache=_text_cache(),
    )


def _packages() -> list[dict]:
    rows = [
        dict(name="python", version=platform.python_version(), distribution=None, remedy=""),
        dict(name="ovdense", version=ovdense.__version__, distribution="ovdense", remedy=""),
    ]
    for name, distributions in PACKAGES.items():
        found = [(dist, version) for dist in distributions if (version := _version(dist))]
        distribution, version = found[0] if found else (distributions[0], None)
        remedy = "" if version else f"pip install {distribution}"
        rows.append(dict(name=name, version=version, distribution=distribution, remedy=remedy))
    return rows


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> dict:
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    remedy = ""
    if not gpus and torch.version.cuda is None:
        remedy = "this torch is a CPU build; for a GPU install a CUDA build of torch and torchvision"
    elif not gpus:
        remedy = "torch is a CUDA build but sees no GPU; check the driver (nvidia-smi)"
    threads = torch.get_num_threads()
    return dict(gpus=gpus, cuda=torch.version.cuda, threads=threads, cores=os.cpu_count(), remedy=remedy)


def _embedded_models() -> list[dict]:
    folders = sorted(path for path in ASSETS.iterdir() if path.is_dir()) if ASSETS.is_dir() else []
    rows = []
    for folder in folders:
        weights = [path for path in folder.iterdir() if path.suffix in WEIGHT_SUFFIXES]
        remedy = "" if weights else "weights are missing: install ovdense again from a full clone or wheel"
        rows.append(dict(name=folder.name, bytes=sum(path.stat().st_size for path in weights), remedy=remedy))
    return rows


def hub_folder() -> Path:
    """Where huggingface_hub keeps its downloads."""
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "hub"


def _hub_weights() -> dict:
    """Cached weights of open_clip models: hub repositories with weight files, and OpenAI's own downloads."""
    folder, openai = hub_folder(), Path("~/.cache/clip").expanduser()
    rows = []
    for repository in sorted(folder.glob("models--*")):
        files = {path.name: path for path in repository.glob("snapshots/*/*") if path.suffix in WEIGHT_SUFFIXES}
        if files:
            name = repository.name.removeprefix("models--").replace("--", "/")
            rows.append(dict(name=name, bytes=sum(path.stat().st_size for path in files.values() if path.exists())))
    for path in sorted(openai.glob("*.pt")):
        rows.append(dict(name=f"openai/{path.stem}", bytes=path.stat().st_size))
    remedy = (
        ""
        if rows
        else "none needed for the embedded models; --model ViT-B-16 --pretrained openai downloads one where a "
        "hub is in reach, --pretrained FILE reads a local one"
    )
    return dict(folder=str(folder), weights=rows, remedy=remedy)


def _text_cache() -> dict:
    folder = default_cache_dir()
    files = list(folder.rglob("*.safetensors")) if folder.is_dir() else []
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(parent, os.W_OK)
    remedy = "" if writable else "the folder cannot be written: set OVDENSE_CACHE to one that can"
    size = sum(path.stat().st_size for path in files)
    return dict(folder=str(folder), files=len(files), bytes=size, writable=writable, remedy=remedy)


def render(facts: dict) -> str:
    """The facts as text for people."""
    lines = ["packages"]
    for row in facts["packages"]:
        source = f"({row['distribution']})" if row["distribution"] not in (None, row["name"]) else ""
        lines.append(_line(row["name"], row["version"] or "MISSING", row["remedy"] or source))
    lines += ["", "compute"]
    device = facts["device"]
    lines.append(_line("gpu", ", ".join(device["gpus"]) or "none", device["remedy"]))
    lines.append(_line("cpu", f"{device['cores']} cores", f"torch uses {device['threads']} threads"))
    lines += ["", "operators", *_operator_lines(facts["operators"])]
    lines += ["", "embedded models (no download needed)"]
    lines += [_line(row["name"], _size(row["bytes"]), row["remedy"]) for row in facts["models"]]
    hub = facts["hub"]
    lines += ["", f"downloaded weights ({hub['folder']})"]
    lines += [_line(row["name"], _size(row["bytes"])) for row in hub["weights"]] or [_line("none", "", hub["remedy"])]
    cache = facts["text_cache"]
    lines += ["", f"text embeddings ({cache['folder']})"]
    lines.append(_line(f"{cache['files']} files", _size(cache["bytes"]), cache["remedy"] or "safe to delete"))
    return "\n".join(lines)


def _operator_lines(operators: list[dict]) -> list[str]:
    lines = []
    for (library, state), rows in groupby(operators, key=lambda row: (row["library"], row["state"])):
        rows = list(rows)
        names = ["all others" if row["operator"] == "*" else row["operator"] for row in rows]
        if names == ["all others"] and state == compat.NATIVE:
            names = ["all"]
        lines.append(_line(library, state, ", ".join(names)))
        remedies = dict.fromkeys(row["remedy"] for row in rows if row["remedy"])
        if state == compat.EMULATED:
            lines.append(_line("", "", "works in plain torch, slower; for speed: " + "; ".join(remedies)))
        elif state == compat.MISSING:
            lines.append(_line("", "", "only if a model needs one: " + "; ".join(remedies)))
    return lines


def _line(name: str, value: str, note: str = "") -> str:
    return f"  {name:<18} {value:<14} {note}".rstrip()


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
