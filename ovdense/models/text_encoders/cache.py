"""Encoded phrases on disk, so that a phrase is encoded once for each text tower and list of templates.

One safetensors file holds the rows of all phrases that share a key (model, weights, templates, options); a vocabulary
that grows only encodes its new phrases. Files are written beside their place and renamed, so that a reader, another
process or an interrupted run never sees half a file.

Shapes: P phrases, C channels.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


def default_cache_dir() -> Path:
    """``$OVDENSE_CACHE/text``, or ``~/.cache/ovdense/text``."""
    root = os.environ.get("OVDENSE_CACHE")
    return (Path(root).expanduser() if root else Path.home() / ".cache" / "ovdense") / "text"


class PhraseCache:
    """Rows by phrase, kept in ``folder``; no folder (``cache_dir=False``) keeps nothing."""

    def __init__(self, cache_dir: str | Path | bool | None = None) -> None:
        if cache_dir is False:
            self.folder = None
        else:
            self.folder = default_cache_dir() if cache_dir in (None, True) else Path(cache_dir).expanduser()

    def path(self, key: Mapping) -> Path:
        """The file of a key (json-ready dict)."""
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        return self.folder / f"{name}.safetensors"

    def read(self, key: Mapping) -> dict[str, Tensor]:
        """All rows (C,) that are kept under ``key``, by phrase. A damaged file counts as none, with a warning."""
        if self.folder is None:
            return {}
        path = self.path(key)
        try:
            with safe_open(str(path), framework="pt") as file:
                metadata, rows = file.metadata() or {}, file.get_tensor("rows")
            phrases = json.loads(metadata["phrases"])
            if metadata["digest"] != _digest(rows) or len(phrases) != len(rows):
                raise ValueError("contents do not match their digest")
        except FileNotFoundError:
            return {}
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            warnings.warn(f"text cache file {path} is unreadable and will be made again: {error}", stacklevel=2)
            return {}
        return dict(zip(phrases, rows))

    def write(self, key: Mapping, rows: Mapping[str, Tensor]) -> None:
        """Adds rows (C,) by phrase to those of ``key``; a folder that cannot be written gives a warning only."""
        if self.folder is None or not rows:
            return
        # Read once more: another process may have added phrases while this one was encoding.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            merged = {**self.read(key), **rows}
        table = torch.stack([row.float().cpu() for row in merged.values()])
        metadata = dict(phrases=json.dumps(list(merged)), digest=_digest(table), key=json.dumps(key, sort_keys=True))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=".writing-") as folder:
                fresh = Path(folder) / "rows.safetensors"
                save_file({"rows": table}, fresh, metadata=metadata)
                os.replace(fresh, self.path(key))
        except (OSError, SafetensorError) as error:
            warnings.warn(
                f"encoded text is not kept, {self.folder} cannot be written ({error}); choose another folder with "
                "cache_dir or OVDENSE_CACHE, or pass cache_dir=False",
                stacklevel=2,
            )


def _digest(rows: Tensor) -> str:
    return hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest()
