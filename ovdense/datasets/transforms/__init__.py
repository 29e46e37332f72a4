"""Pipeline transforms: loading pictures and label maps, resizing, changes of light and sharpness."""

from ovdense.datasets.transforms.cropping import CenterCrop
from ovdense.datasets.transforms.image_io import IMAGE_SUFFIXES, MAX_PIXELS, ImageError, find_images, read_image
from ovdense.datasets.transforms.loading import LoadImage, LoadLabels
from ovdense.datasets.transforms.panoptic import LoadPanopticMap, SemanticFromPanoptic
from ovdense.datasets.transforms.photometric import RandomBlur, RandomBrightness
from ovdense.datasets.transforms.phrases import (
    LoadPhraseMask,
    LoadPromptImage,
    ObjectCrop,
    PackPhraseInputs,
    PickPhrase,
)
from ovdense.datasets.transforms.region_crops import PackRegionCrops
from ovdense.datasets.transforms.region_masks import LoadRegionMasks
from ovdense.datasets.transforms.resizing import Resize
from ovdense.datasets.transforms.zero_shot import ZeroShotLabels

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "CenterCrop",
    "ImageError",
    "LoadImage",
    "LoadLabels",
    "LoadPanopticMap",
    "LoadPhraseMask",
    "LoadPromptImage",
    "LoadRegionMasks",
    "ObjectCrop",
    "PackPhraseInputs",
    "PackRegionCrops",
    "PickPhrase",
    "RandomBlur",
    "RandomBrightness",
    "Resize",
    "SemanticFromPanoptic",
    "ZeroShotLabels",
    "find_images",
    "read_image",
]
