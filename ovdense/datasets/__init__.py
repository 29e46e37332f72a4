"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.benchmarks import (
    ADE20K150Dataset,
    Cityscapes19Dataset,
    COCOObjectDataset,
    COCOStuff164kDataset,
    Context59Dataset,
    Context60Dataset,
    VOC20Dataset,
    VOC21Dataset,
)
from ovdense.datasets.camvid import CamVidDataset
from ovdense.datasets.coco_captions import CocoCaptionsDataset
from ovdense.datasets.folder import FolderSegDataset
from ovdense.datasets.image_folder import ImageFolderDataset
from ovdense.datasets.scenes import (
    ScenesCaptionDataset,
    ScenesDetDataset,
    ScenesObjectnessDataset,
    ScenesPanopticDataset,
    ScenesSegDataset,
)
from ovdense.datasets.sentences import SentenceDataset

__all__ = [
    "ADE20K150Dataset",
    "COCOObjectDataset",
    "COCOStuff164kDataset",
    "CamVidDataset",
    "Cityscapes19Dataset",
    "CocoCaptionsDataset",
    "Context59Dataset",
    "Context60Dataset",
    "FolderSegDataset",
    "ImageFolderDataset",
    "ScenesCaptionDataset",
    "ScenesDetDataset",
    "ScenesObjectnessDataset",
    "ScenesPanopticDataset",
    "ScenesSegDataset",
    "SentenceDataset",
    "VOC20Dataset",
    "VOC21Dataset",
    "transforms",
]
