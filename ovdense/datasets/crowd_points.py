"""Points of crowds: one (x, y) a head, from ShanghaiTech's .mat files, or from .json or .npy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def read_points(path: str | Path) -> np.ndarray:
    """(N, 2) float32 points, x right and y down in pixels.

    ``.mat``: ``image_info`` of ShanghaiTech (scipy is needed); ``.json``: a list of pairs, or a dict with ``points``;
    ``.npy``: an array (N, 2).

    Raises:
        ValueError: a file of another kind or form.
    """
    path = Path(path)
    try:
        points = READERS[path.suffix.lower()](path)
        return np.asarray(points, np.float32).reshape(-1, 2)
    except KeyError as error:
        known = ", ".join(READERS)
        raise ValueError(f"points of crowds are {known} files of ShanghaiTech's form, got {path} ({error})") from None
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no (N, 2) points: {error}") from error


def _read_mat(path: Path):
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            "ShanghaiTech's .mat files need scipy: pip install scipy, or convert them to .json"
        ) from error
    return loadmat(path)["image_info"][0, 0]["location"][0, 0]


def _read_json(path: Path):
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["points"] if isinstance(content, dict) else content


READERS = {".mat": _read_mat, ".json": _read_json, ".npy": np.load}
