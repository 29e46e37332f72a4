"""Shared set-up of the tests: quiet, deterministic, and never on the network."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch
from mmengine.registry import DefaultScope

import ovdense  # noqa: F401  (installs the stand-ins before any test imports mmcv or torchvision)

# isort: split
from mmdet.visualization import DetLocalVisualizer
from mmseg.visualization import SegLocalVisualizer

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # the workers share the cores; more threads each would only fight for them


def pytest_addoption(parser):
    parser.addoption(
        "--official-outputs",
        default=None,
        metavar="DIR",
        help="folder of official outputs (one case a folder) that tests/conformance checks",
    )


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory, monkeypatch):
    """Text embeddings are cached in a folder of the test run, never in the user's."""
    monkeypatch.setenv("OVDENSE_CACHE", str(tmp_path_factory.getbasetemp() / "ovdense-cache"))


@pytest.fixture(autouse=True)
def no_leftovers():
    """The registry scope and the visualizers (with their folders) that a test leaves behind are not the next one's."""
    yield
    for kind in (DefaultScope, DetLocalVisualizer, SegLocalVisualizer):
        kind._instance_dict.clear()
