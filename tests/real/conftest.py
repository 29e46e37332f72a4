"""Tests on real data that lies beside the clone, in ``../shared/real``: each skips where its folder is not there."""

from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real"
REAL = REAL if REAL.is_dir() else Path(__file__).resolve().parents[3].parent / "shared" / "real"  # a linked worktree


@pytest.fixture
def real():
    """Function from the name of a folder to its path."""

    def folder(name: str) -> Path:
        if not (REAL / name).is_dir():
            pytest.skip(f"needs ../shared/real/{name}")
        return REAL / name

    return folder


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield
