"""Frozen models that a head learns from: they see the training images and are no part of any checkpoint.

Shapes: B images, N = h * w patches of the student's grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import resize as torchvision_resize

from ovdense.functional.affinity import cosine_affinity
from ovdense.models.backbones import DenseBackbone
from ovdense.models.backbones.proxy import renormalise
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


class Teacher:
    """A backbone, and for objectness a head on it, built on first use and held outside the module tree.

    Args:
        backbone: config of a backbone, ``dict(type="DINOBackbone", model=..., pretrained=..., capture=...)``.
        head: config of a head with ``foreground(features)``, or None.
        scale: images are enlarged so many times before the backbone sees them; 2 for a companion of a finer grid.
    """

    def __init__(self, *, backbone: dict, head: dict | None = None, scale: float = 1.0) -> None:
        self.backbone_config, self.head_config, self.scale = backbone, head, scale
        self._backbone: DenseBackbone | None = None
        self._head = None

    def features(self, images: Tensor, student: DenseBackbone) -> DenseFeatures:
        """Its features of images (B,3,H,W) that are normalised for the student; no gradient flows through them."""
        if self._backbone is None:
            self._backbone = MODELS.build(dict(self.backbone_config, frozen=True))
        self._backbone.to(images.device)
        with torch.no_grad():
            images = renormalise(images, student, self._backbone)
            if self.scale != 1:
                images = F.interpolate(images, scale_factor=self.scale, mode="bilinear")
            return self._backbone(images)

    @property
    def backbone(self) -> DenseBackbone:
        """The frozen backbone; there is one after ``features`` was asked for."""
        if self._backbone is None:
            raise RuntimeError("the teacher's backbone is built when its features are asked for")
        return self._backbone

    @torch.no_grad()
    def objects(self, features: DenseFeatures, grid: tuple[int, int], *, antialias: bool) -> Tensor:
        """(B,1,h,w) bool: objectness above one half, after the map was resized to the student's grid."""
        if self._head is None:
            self._head = MODELS.build(self.head_config).requires_grad_(False).eval()
        device = next(iter(features.extras.values())).device
        return resize_objectness(self._head.to(device).foreground(features).float(), grid, antialias) > 0.5

    def sees_as(self, other: Teacher) -> bool:
        """True where the features of both are the same."""
        return self.backbone_config == other.backbone_config and self.scale == other.scale


@torch.no_grad()
def correspondences(features: DenseFeatures, grid: tuple[int, int], *, feature: str, threshold: float) -> Tensor:
    """(B,N,N) bool: patches whose features have a cosine of at least ``threshold`` (and above 0).

    Args:
        features: a teacher's.
        grid: (h, w) of the student.
        feature: ``maps`` for the last of its maps, or the name of an extra such as ``v``.
    """
    maps = features.maps[-1] if feature == "maps" else features.extras[feature]
    if tuple(maps.shape[-2:]) != grid:
        maps = F.interpolate(maps, size=grid, mode="bilinear", antialias=True)
    cosine = cosine_affinity(maps.float())
    return (cosine >= threshold) & (cosine > 0)


def resize_objectness(maps: Tensor, grid: tuple[int, int], antialias: bool) -> Tensor:
    """Objectness (B,1,h',w') on another grid. torchvision averages since 0.17 and did not in 0.13.1, which the official
    code pins."""
    return torchvision_resize(maps, list(grid), antialias=antialias)
