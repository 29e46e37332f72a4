"""Pipeline transforms: loading pictures and label maps."""

from ovdense.datasets.transforms.image_io import IMAGE_SUFFIXES, MAX_PIXELS, ImageError, find_images, read_image
from ovdense.datasets.transforms.loading import LoadImage, LoadLabels

__all__ = ["IMAGE_SUFFIXES", "MAX_PIXELS", "ImageError", "LoadImage", "LoadLabels", "find_images", "read_image"]
