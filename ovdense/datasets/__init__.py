"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.camvid import CamVidDataset
from ovdense.datasets.folder import FolderSegDataset
from ovdense.datasets.image_folder import ImageFolderDataset
from ovdense.datasets.scenes import ScenesDetDataset, ScenesObjectnessDataset, ScenesSegDataset

__all__ = [
    "CamVidDataset",
    "FolderSegDataset",
    "ImageFolderDataset",
    "ScenesDetDataset",
    "ScenesObjectnessDataset",
    "ScenesSegDataset",
    "transforms",
]
