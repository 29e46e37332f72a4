"""Pixel statistics: whose mean and std a batch is normalised with.

Shapes: B images of H x W pixels; statistics are RGB triples.
"""

from __future__ import annotations

from torch import Tensor


def fill_statistics(config: dict | None, backbone):
    """mmdet's data preprocessor with the backbone's mean and std (RGB, 0..255) where none is given."""
    if config is not None and not isinstance(config, dict):
        return config
    filled = dict(type="mmdet.DetDataPreprocessor", bgr_to_rgb=True, pad_mask=True)
    filled.update(config or {})
    for name, values in (("mean", "image_mean"), ("std", "image_std")):
        if filled.get(name) is None and hasattr(backbone, values):
            filled[name] = [255.0 * value for value in getattr(backbone, values)]
    return filled


def renormalise_images(images: Tensor, preprocessor, wanted) -> Tensor:
    """Images (B,3,H,W) of mmdet's data preprocessor, normalised as another network wants them.

    Args:
        wanted: has ``image_mean`` and ``image_std`` on a 0..1 scale.
    """
    if not hasattr(preprocessor, "mean"):
        raise ValueError(
            f"{type(wanted).__name__} normalises pictures its own way: the data preprocessor must say its mean and std"
        )
    mean, std = preprocessor.mean.to(images).view(3, 1, 1) / 255, preprocessor.std.to(images).view(3, 1, 1) / 255
    new_mean, new_std = (images.new_tensor(value).view(3, 1, 1) for value in (wanted.image_mean, wanted.image_std))
    return (images * std + mean - new_mean) / new_std
