"""A CLIP whose patch features inside a proposal are replaced by one embedding of the whole region.

Shapes: B images of H x W pixels, R regions of one image, C channels, h x w cells of the finer grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.region_pooling import crop_faded, grow_boxes, mask_coverage, pool_regions
from ovdense.models.backbones.base import DenseBackbone
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class RegionRefinedBackbone(DenseBackbone):
    """(B,3,H,W) -> DenseFeatures on a finer grid: regions speak with one voice, the rest keeps its patch features.

    A region's embedding is the mean of the unit patch features under its mask plus ``crop_weight`` times the unit class
    token of a square crop around it, brought back to unit length.

    Args:
        clip: config of the CLIP backbone.
        proposals: config of a generator that takes images alone and gives ``masks``, ``TinyProposalNet``.
        stride: pixels per cell of the finer grid; it must divide the backbone's.
        crop_weight: weight of the class token; 0 runs no crops.
        crop_size: pixels of the crops that the backbone sees.
        crop_context: crop side as a factor of the box's longer side.
        crop_fade: how far the crop's pixels outside the mask fade to the mean colour, in [0, 1].
        min_score: proposals of lower score are not used.
    """

    def __init__(
        self,
        *,
        clip: dict,
        proposals: dict,
        stride: int = 2,
        crop_weight: float = 1.0,
        crop_size: int = 48,
        crop_context: float = 1.15,
        crop_fade: float = 1.0,
        min_score: float = 0.0,
        capture: Sequence[str] = (),
        frozen: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(capture=capture, frozen=frozen, init_cfg=init_cfg)
        self.clip, self.proposals = MODELS.build({"with_global": bool(crop_weight), **clip}), MODELS.build(proposals)
        if self.clip.stride % stride:
            raise ValueError(f"stride must divide the backbone's stride of {self.clip.stride} pixels, got {stride}")
        self.name, self.space, self.embed_dim = self.clip.name, self.clip.space, self.clip.embed_dim
        self.image_mean, self.image_std = self.clip.image_mean, self.clip.image_std
        self.stride, self.crop_weight, self.crop_size = stride, crop_weight, crop_size
        self.crop_context, self.crop_fade, self.min_score = crop_context, crop_fade, min_score
        self._freeze()

    def forward(self, images: Tensor, **options) -> DenseFeatures:
        """Features of normalised RGB images (B,3,H,W); ``maps`` holds the share of regions (B,1,h,w)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = self.clip(images, **options)
            factor = self.clip.stride // self.stride
            coarse = F.normalize(features.dense, dim=1)
            dense = F.interpolate(coarse, scale_factor=factor, mode="bilinear")
            covered = dense.new_zeros(len(dense), 1, *dense.shape[-2:])
            for index, found in enumerate(self.proposals(self._for_proposals(images))):
                self._refine(dense[index], covered[index], images[index], found, features.padding)
        return DenseFeatures(
            dense=dense,
            global_embedding=features.global_embedding,
            maps=(covered,),
            stride=self.stride,
            image_size=features.image_size,
            padding=features.padding,
        )

    def _refine(self, dense: Tensor, covered: Tensor, image: Tensor, found: InstanceData, padding) -> None:
        """Writes the regions of one image into its features (C,h,w) and the map of covered cells (1,h,w)."""
        found = found[found.scores >= self.min_score]
        if not len(found):
            return
        coverage = mask_coverage(found.masks, tuple(dense.shape[-2:]), self.stride, padding[:2]).to(dense)
        embeddings = F.normalize(pool_regions(dense, coverage), dim=1)
        if self.crop_weight:
            embeddings = F.normalize(embeddings + self.crop_weight * self._class_tokens(image, found), dim=1)
        share, owner = coverage.max(dim=0)
        inside = share > 0.5
        dense[:, inside] = embeddings[owner[inside]].T
        covered[0] = inside

    def _class_tokens(self, image: Tensor, found: InstanceData) -> Tensor:
        """Unit class tokens (R,C) of crops around the proposals of one image."""
        squares = grow_boxes(found.bboxes, self.crop_context, square=True)
        crops = crop_faded(image, squares, found.masks, self.crop_size, self.crop_fade)
        return F.normalize(self.clip(crops).global_embedding, dim=1)

    def _for_proposals(self, images: Tensor) -> Tensor:
        """Images normalised as the proposal generator wants them."""
        values = (self.image_mean, self.image_std, self.proposals.image_mean, self.proposals.image_std)
        mean, std, new_mean, new_std = (images.new_tensor(value).view(3, 1, 1) for value in values)
        return (images * std + mean - new_mean) / new_std
