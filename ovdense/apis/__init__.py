"""The Python API: models built from configs, pictures in, masks and boxes out."""

from ovdense.apis.batch import predict_to_folder
from ovdense.apis.checkpoints import CheckpointError, load_checkpoint
from ovdense.apis.configs import ConfigError, config_root, find_config, load_config, task_of, use_backbone
from ovdense.apis.detector import Detector
from ovdense.apis.files import OutputError
from ovdense.apis.given_masks import NamedMasks, classify_masks, read_masks
from ovdense.apis.inference import inference_model, init_model
from ovdense.apis.panoptic import PanopticSegmenter
from ovdense.apis.regions import RegionNamer, RegionNames, classify_regions, extract_region_features
from ovdense.apis.results import DetectionResult, FailedImage, PanopticResult, SegmentationResult, coco_document
from ovdense.apis.segmenter import Segmenter
from ovdense.datasets.transforms import ImageError, read_image
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.structures import Vocabulary

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DetectionResult",
    "Detector",
    "FailedImage",
    "ImageError",
    "NamedMasks",
    "OutputError",
    "PanopticResult",
    "PanopticSegmenter",
    "RegionNamer",
    "RegionNames",
    "SegmentationResult",
    "Segmenter",
    "Vocabulary",
    "classify_masks",
    "classify_regions",
    "coco_document",
    "config_root",
    "extract_region_features",
    "find_config",
    "inference_model",
    "init_model",
    "load_checkpoint",
    "load_config",
    "load_vocabulary",
    "predict_to_folder",
    "read_image",
    "read_masks",
    "task_of",
    "use_backbone",
]
