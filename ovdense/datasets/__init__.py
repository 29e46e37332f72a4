"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.camvid import CamVidDataset
from ovdense.datasets.coco_captions import CocoCaptionsDataset
from ovdense.datasets.folder import FolderSegDataset
from ovdense.datasets.scenes import ScenesDetDataset, ScenesSegDataset

__all__ = [
    "CamVidDataset",
    "CocoCaptionsDataset",
    "FolderSegDataset",
    "ScenesDetDataset",
    "ScenesSegDataset",
    "transforms",
]
