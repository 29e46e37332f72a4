"""Where region maps come from when none were loaded with the picture: ``regions=dict(type=...)`` of the segmentor.

Shapes: B images of H x W input pixels, R masks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.region_scope import resize_regions
from ovdense.functional.region_vote import paint_masks
from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.proxy import renormalise
from ovdense.models.detectors.proposals import ProposalGenerator
from ovdense.models.detectors.segment_proposals import SegmentProposals
from ovdense.models.region_ids import to_original
from ovdense.registry import MODELS


class RegionSource(BaseModule):
    """Puts ``region_ids`` into the metainfo of pictures that have none; a subclass writes ``find``."""

    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]

    def _freeze(self) -> None:
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> RegionSource:
        """Stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor, metainfos: Sequence[dict], backbone: DenseBackbone) -> list[dict]:
        """The metainfos, each with a region map (H,W) of its original picture's size.

        Args:
            images: (B,3,H,W), normalised for ``backbone``.
        """
        wanted = [index for index, meta in enumerate(metainfos) if meta.get("region_ids") is None]
        filled = list(metainfos)
        if wanted:
            for index, ids in zip(wanted, self.find(renormalise(images[wanted], backbone, self))):
                filled[index] = {**filled[index], "region_ids": to_original(ids, filled[index])}
        return filled

    def find(self, images: Tensor) -> list[Tensor]:
        """Region ids (H,W) int64 of each image, 0 where there is no region."""
        raise NotImplementedError


@MODELS.register_module()
class ProposedRegions(RegionSource):
    """The masks of a proposal generator.

    Args:
        proposals: config of a generator that takes images alone and gives ``masks``, such as ``TinyProposalNet``.
        min_score: proposals of lower score are not used.
        overlap: which of several masks keeps a pixel, see ``paint_masks``.

    Raises:
        TypeError: a generator that takes more than images.
    """

    def __init__(
        self, *, proposals: dict, min_score: float = 0.0, overlap: str = "largest", init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.proposals = MODELS.build(proposals)
        if isinstance(self.proposals, ProposalGenerator):
            raise TypeError(
                "ProposedRegions takes a generator that looks at the picture alone, such as TinyProposalNet, got "
                f"{type(self.proposals).__name__}; for photographs use regions=dict(type='FelzenszwalbRegions')"
            )
        self.image_mean, self.image_std = self.proposals.image_mean, self.proposals.image_std
        self.min_score, self.overlap = min_score, overlap
        self._freeze()

    def find(self, images: Tensor) -> list[Tensor]:
        size, maps = tuple(images.shape[-2:]), []
        for found in self.proposals(images):
            masks = found[found.scores >= self.min_score].masks
            maps.append(paint_masks(masks, size, masks.flatten(1).sum(1), self.overlap))
        return maps


@MODELS.register_module()
class FelzenszwalbRegions(RegionSource):
    """Segments of like colour (Felzenszwalb and Huttenlocher, IJCV 2004), which cover the whole picture.

    A stand-in for the masks of SAM where none are at hand: nothing to download, and far more and smaller regions.

    Args:
        side, scale, min_pixels, sigma: see ``SegmentProposals``.
    """

    image_mean, image_std = SegmentProposals.image_mean, SegmentProposals.image_std

    def __init__(
        self,
        *,
        side: int = 320,
        scale: float = 0.8,
        min_pixels: int = 40,
        sigma: float = 0.8,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.segments = SegmentProposals(side=side, scale=scale, min_pixels=min_pixels, sigma=sigma)
        self._freeze()

    def find(self, images: Tensor) -> list[Tensor]:
        size = tuple(images.shape[-2:])
        labels = (torch.from_numpy(self.segments.segment(image)).long() for image in images)
        return [resize_regions(one + 1, size) for one in labels]
