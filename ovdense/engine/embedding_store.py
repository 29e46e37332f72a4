"""Rows by key on disk, written in parts as they are made, so that long work that is stopped goes on where it was.

A folder holds ``part-*.safetensors`` files of one table each: the rows, and their keys in the file's metadata. Parts
are written beside their place and renamed, under names that no other process takes, so that several processes can fill
one table and a reader never sees half a part.
"""

from __future__ import annotations

import json
import os
import uuid
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


class EmbeddingStore:
    """A table of equally shaped rows by key.

    Args:
        folder: of the parts; made when the first part is written.
        part_bytes: size at which collected rows are written.
    """

    def __init__(self, folder: str | Path, part_bytes: int = 64 * 2**20) -> None:
        self.folder, self.part_bytes = Path(folder), part_bytes
        self._places: dict[str, tuple[Path, int]] = {}
        self._files: dict[Path, object] = {}
        self._pending: dict[str, Tensor] = {}
        self.refresh()

    def refresh(self) -> None:
        """Takes note of parts that other processes have written; a damaged part counts as none, with a warning."""
        seen = {path for path, _ in self._places.values()}
        for path in sorted(self.folder.glob("part-*.safetensors")) if self.folder.is_dir() else ():
            if path in seen:
                continue
            try:
                with safe_open(str(path), framework="pt") as file:
                    keys = json.loads(file.metadata()["keys"])
                    if len(keys) != file.get_slice("rows").get_shape()[0]:
                        raise ValueError("as many keys as rows are needed")
            except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
                warnings.warn(f"{path} is unreadable and its rows are made again: {error}", stacklevel=2)
                continue
            self._places.update({key: (path, index) for index, key in enumerate(keys)})

    def __len__(self) -> int:
        return len(self._places.keys() | self._pending.keys())

    def __contains__(self, key: str) -> bool:
        return key in self._places or key in self._pending

    def __getitem__(self, key: str) -> Tensor:
        """The row of a key."""
        if key in self._pending:
            return self._pending[key]
        path, index = self._places[key]
        if path not in self._files:
            self._files[path] = safe_open(str(path), framework="pt").__enter__()
        return self._files[path].get_slice("rows")[index]

    def add(self, keys: Iterable[str], rows: Tensor) -> None:
        """Rows (N, ...) under their keys; keys that are there already are left alone."""
        for key, row in zip(keys, rows.detach().cpu()):
            if key not in self:
                self._pending[key] = row.clone()
        if sum(row.nbytes for row in self._pending.values()) >= self.part_bytes:
            self.flush()

    def flush(self) -> None:
        """Writes what was collected."""
        if not self._pending:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex[:16]
        fresh, path = self.folder / f".writing-{name}", self.folder / f"part-{name}.safetensors"
        rows = torch.stack(list(self._pending.values()))
        save_file(dict(rows=rows), fresh, metadata=dict(keys=json.dumps(list(self._pending))))
        os.replace(fresh, path)
        self._places.update({key: (path, index) for index, key in enumerate(self._pending)})
        self._pending = {}

    def __getstate__(self) -> dict:
        """Other processes open the files themselves."""
        return {**self.__dict__, "_files": {}}
