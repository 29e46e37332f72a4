"""CompanionBackbone: CLIP's dense features and, beside them, those of a model that sees better what belongs together.

Shapes: B windows, C channels of the text space, P channels of the companion, h x w grid of the companion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.clip_backbone import CLIPBackbone
from ovdense.models.backbones.open_clip_loader import Pretrained
from ovdense.models.backbones.proxy import renormalise
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CompanionBackbone(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures of CLIP on the companion's grid, with what label propagation has to know.

    ``dense`` are CLIP's unit features, resized to the companion's grid where that is another one. ``extras`` always
    hold ``companion`` (B, P, h, w), ``positions`` (B, 2, h, w), the (y, x) of each cell's centre in pixels of the
    picture, and ``picture`` (B,), the index of the picture that a window is of.

    Args:
        model: CLIP, see ``CLIPBackbone``.
        pretrained: its weights.
        companion: config of the other backbone, ``dict(type="DINOBackbone", model=...)``.
        companion_feature: what it gives: ``v``, ``k`` or ``q`` of its last block, or ``maps`` for its last map.
        companion_scale: windows are enlarged so many times for it, which makes its grid finer.
        clip_options: further options of the CLIP backbone; its ``attention`` is ``value`` (MaskCLIP) unless named.
        **kwargs: ``padding``, ``with_global``, ``frozen`` of ``DenseBackbone``.
    """

    def __init__(
        self,
        *,
        model: str | dict,
        companion: dict,
        pretrained: Pretrained = None,
        companion_feature: str = "v",
        companion_scale: int = 1,
        clip_options: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        shared = dict(padding="none", frozen=self.frozen)
        options = {"attention": "value", **(clip_options or {})}
        self.clip = CLIPBackbone(
            model=model, pretrained=pretrained, with_global=self.with_global, **{**options, **shared}
        )
        capture = () if companion_feature == "maps" else (companion_feature,)
        self.companion = MODELS.build({**companion, "capture": capture, **shared})
        if companion_scale < 1 or self.companion.stride % companion_scale:
            raise ValueError(
                f"companion_scale must divide the companion's stride of {self.companion.stride} pixels, "
                f"got {companion_scale}"
            )
        self.companion_feature, self.companion_scale = companion_feature, companion_scale
        self.name = f"{self.clip.name} with {self.companion.name}"
        self.space, self.embed_dim = self.clip.space, self.clip.embed_dim
        self.image_mean, self.image_std = self.clip.image_mean, self.clip.image_std
        self.stride = self.companion.stride // companion_scale
        self.divisor = math.lcm(self.clip.stride, self.stride)
        self._freeze()

    def encode(self, images: Tensor, origins: Tensor | None = None, picture: Tensor | None = None) -> DenseFeatures:
        """Features of windows of whole cells.

        Args:
            origins: (B, 2) top and left pixel of each window in its picture; None: each is a picture of its own.
            picture: (B,) index of the picture that a window is of; goes with ``origins``.
        """
        features, beside = self.clip(images), self.companion_maps(images)
        grid = tuple(beside.shape[-2:])
        dense = F.normalize(features.dense, dim=1)
        if tuple(dense.shape[-2:]) != grid:
            dense = F.interpolate(dense, size=grid, mode="bilinear", align_corners=False)
        if origins is None:
            origins = torch.zeros(len(images), 2, device=images.device)
            picture = torch.arange(len(images), device=images.device)
        positions = cell_centres(grid, self.stride).to(origins) + origins[:, :, None, None]
        return replace(features, dense=dense, extras=dict(companion=beside, positions=positions, picture=picture))

    def companion_maps(self, images: Tensor) -> Tensor:
        """(B, P, h, w) of the companion for images that are normalised for CLIP."""
        images = renormalise(images, self, self.companion)
        if self.companion_scale != 1:
            images = F.interpolate(images, scale_factor=float(self.companion_scale), mode="bilinear")
        features = self.companion(images)
        return features.maps[-1] if self.companion_feature == "maps" else features.extras[self.companion_feature]

    def window_inputs(self, images: Tensor, metainfos: Sequence[dict], boxes: Sequence[tuple]) -> dict[str, Tensor]:
        """Where the windows of all images lie, and of which they are."""
        origins = torch.tensor([(y1, x1) for x1, y1, _, _ in boxes], dtype=torch.float32, device=images.device)
        index = torch.arange(len(images), device=images.device)
        return {"origins": origins.repeat(len(images), 1), "picture": index.repeat_interleave(len(boxes))}


def cell_centres(grid: tuple[int, int], stride: int) -> Tensor:
    """(2, h, w): y and x of the centres of the cells of a grid, in pixels."""
    axes = [(torch.arange(cells) + 0.5) * stride for cells in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
