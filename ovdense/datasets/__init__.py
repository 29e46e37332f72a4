"""Datasets and pipeline transforms."""

from ovdense.datasets import transforms
from ovdense.datasets.affordances import AGD20KDataset, PackAffordanceInputs
from ovdense.datasets.benchmarks import (
    ADE20K150Dataset,
    ADE20K847Dataset,
    Cityscapes19Dataset,
    COCOObjectDataset,
    COCOStuff164kDataset,
    Context59Dataset,
    Context60Dataset,
    Context459Dataset,
    VOC20Dataset,
    VOC21Dataset,
)
from ovdense.datasets.camvid import CamVidDataset
from ovdense.datasets.coco_captions import CocoCaptionsDataset
from ovdense.datasets.crowds import CrowdPointsDataset, PackCrowdInputs
from ovdense.datasets.folder import FolderSegDataset
from ovdense.datasets.image_folder import ImageFolderDataset
from ovdense.datasets.mask_nouns import MaskNounDataset, ScenesMaskNounDataset
from ovdense.datasets.open_vocab_det import OpenVocabDetDataset
from ovdense.datasets.panoptic_maps import (
    ADE20KPanopticMapsDataset,
    CityscapesPanopticMapsDataset,
    CocoPanopticMapsDataset,
)
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
from ovdense.datasets.street_scenes import (
    ACDCDataset,
    BDD100K19Dataset,
    GTA5Dataset,
    Mapillary19Dataset,
    Mapillary66Dataset,
)

__all__ = [
    "ACDCDataset",
    "ADE20K150Dataset",
    "ADE20K847Dataset",
    "ADE20KPanopticMapsDataset",
    "AGD20KDataset",
    "BDD100K19Dataset",
    "COCOObjectDataset",
    "COCOStuff164kDataset",
    "CamVidDataset",
    "Cityscapes19Dataset",
    "CityscapesPanopticMapsDataset",
    "CocoCaptionsDataset",
    "CocoPanopticMapsDataset",
    "Context59Dataset",
    "Context60Dataset",
    "Context459Dataset",
    "CrowdPointsDataset",
    "FolderSegDataset",
    "GTA5Dataset",
    "ImageFolderDataset",
    "LengthBatchSampler",
    "Mapillary19Dataset",
    "Mapillary66Dataset",
    "MaskNounDataset",
    "OpenVocabDetDataset",
    "PackAffordanceInputs",
    "PackCrowdInputs",
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
