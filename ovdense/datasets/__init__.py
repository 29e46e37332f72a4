"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.camvid import CamVidDataset
from ovdense.datasets.folder import FolderSegDataset
from ovdense.datasets.scenes import ScenesDetDataset, ScenesSegDataset
from ovdense.datasets.sentences import SentenceDataset

__all__ = ["CamVidDataset", "FolderSegDataset", "ScenesDetDataset", "ScenesSegDataset", "SentenceDataset", "transforms"]
