"""The Python API: models built from configs, pictures in, masks and boxes out."""

from ovdense.apis.configs import ConfigError, config_root, find_config, load_config, task_of, use_backbone
from ovdense.datasets.transforms import ImageError, read_image

__all__ = [
    "ConfigError",
    "ImageError",
    "config_root",
    "find_config",
    "load_config",
    "read_image",
    "task_of",
    "use_backbone",
]
