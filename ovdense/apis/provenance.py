"""Where figures come from: versions, git commit, digest of the config, digests of the embedded weights."""

from __future__ import annotations

import hashlib
import importlib
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine.config import Config

import ovdense
from ovdense.models.backbones.open_clip_loader import embedded_models
from ovdense.version import __version__

MODULES = ("torch", "torchvision", "numpy", "cv2", "mmengine", "mmcv", "mmdet", "mmseg", "open_clip")
ROOT = Path(ovdense.__file__).parent


def versions() -> dict[str, str]:
    """Versions of ovdense, of Python, and of the libraries that figures depend on."""
    libraries = {name: importlib.import_module(name).__version__ for name in MODULES}
    return dict(ovdense=__version__, python=platform.python_version(), **libraries)


def git_state() -> dict:
    """``dict(commit=, modified=)`` of the clone that ovdense runs from; empty for an installed package."""
    clone = ROOT.parent
    if not (clone / ".git").exists():
        return {}
    commit, changes = (_git(clone, *command) for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"]))
    return dict(commit=commit, modified=bool(changes)) if commit else {}


def _git(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def config_digest(config: Config) -> str:
    """SHA-256, as hex, of all settings of a config with its bases merged in."""
    content = json.dumps(config.to_dict(), sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def weight_digests(config: Config) -> dict[str, str]:
    """SHA-256, as hex, of the weights of every embedded model that a config names, text towers included."""
    embedded = {path.name for path in models().iterdir() if path.is_dir()}
    named = embedded & set(_strings(config.to_dict().get("model", {})))
    if named & set(embedded_models()):
        named.add("text_tower")
    return {name: weights_digest(name) for name in sorted(named)}


def weights_digest(name: str) -> str:
    """SHA-256, as hex, of the weight files of an embedded model, in the order of their names.

    Raises:
        FileNotFoundError: no such model.
    """
    files = sorted((models() / name).glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"no embedded model with weights of the name {name!r} in {models()}")
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def models() -> Path:
    """The folder of embedded models."""
    return ROOT / "assets" / "models"


def _strings(content) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _strings(value)
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _strings(value)
