"""Writing results so that a file is either whole or not there at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np


class OutputError(OSError):
    """A result that cannot be written; the message names the file and the reason."""


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Writes beside the target and renames, so that a full disk or a crash leaves nothing half-written.

    Raises:
        OutputError: unwritable folder, full disk, ...
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def write_image(path: str | Path, image: np.ndarray) -> Path:
    """A BGR or grey array as PNG, JPEG, ... by the name's ending; uint16 needs PNG or TIFF."""
    path = Path(path)
    try:
        done, content = cv2.imencode(path.suffix or ".png", image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    except cv2.error as error:
        raise OutputError(f"cannot write {path}: no image format {path.suffix!r}; use .png or .jpg") from error
    if not done:
        raise OutputError(f"cannot write {path}: a {image.dtype} array {image.shape} does not fit {path.suffix}")
    return write_bytes(path, content.tobytes())


def write_json(path: str | Path, content, indent: int | None = None) -> Path:
    return write_bytes(path, json.dumps(content, ensure_ascii=False, indent=indent).encode())


def ensure_writable(folder: str | Path) -> Path:
    """Makes an output folder and tries it, so that the error comes before the work and not after it.

    Raises:
        OutputError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror or error}") from error
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
