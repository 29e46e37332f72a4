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
from ovdense.datasets.mask_nouns import MaskNounDataset, ScenesMaskNounDataset
from ovdense.datasets.open_vocab_det import OpenVocabDetDataset
from ovdense.datasets.panoptic_maps import ADE20KPanopticMapsDataset, CocoPanopticMapsDataset
from ovdense.datasets.phrases import PhraseCutDataset, PhraseFolderDataset
from ovdense.datasets.region_folder import RegionFolderDataset
from ovdense.datasets.scenes import (
    ScenesCaptionDataset,
    ScenesDetDataset,
    ScenesObjectnessDataset,
    ScenesPanopticDataset,
    ScenesPhraseDataset,
    ScenesSegDataset,
)
from ovdense.datasets.sentences import LengthBatchSampler, SentenceDataset, pad_sentences

__all__ = [
    "ADE20K150Dataset",
    "ADE20KPanopticMapsDataset",
    "COCOObjectDataset",
    "COCOStuff164kDataset",
    "CamVidDataset",
    "Cityscapes19Dataset",
    "CocoCaptionsDataset",
    "CocoPanopticMapsDataset",
    "Context59Dataset",
    "Context60Dataset",
    "FolderSegDataset",
    "ImageFolderDataset",
    "LengthBatchSampler",
    "MaskNounDataset",
    "OpenVocabDetDataset",
    "PhraseCutDataset",
    "PhraseFolderDataset",
    "RegionFolderDataset",
    "ScenesCaptionDataset",
    "ScenesDetDataset",
    "ScenesMaskNounDataset",
    "ScenesObjectnessDataset",
    "ScenesPanopticDataset",
    "ScenesPhraseDataset",
    "ScenesSegDataset",
    "SentenceDataset",
    "VOC20Dataset",
    "VOC21Dataset",
    "pad_sentences",
    "transforms",
]
