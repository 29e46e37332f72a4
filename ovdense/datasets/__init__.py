"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.scenes import ScenesDetDataset, ScenesSegDataset

__all__ = ["ScenesDetDataset", "ScenesSegDataset", "transforms"]
