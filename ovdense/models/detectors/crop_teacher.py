"""What a frozen CLIP says of the crop of every proposal: the targets of ViLD's image head (arXiv 2104.13921).

Shapes: B images of one padded size, R proposals, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from torch import Tensor, nn

from ovdense.functional.region_pooling import clip_boxes, grow_boxes
from ovdense.registry import MODELS


class CropTeacher(nn.Module):
    """Boxes (R,4) of an image -> unit embeddings (R,C) of a frozen CLIP, the sum over crops of several sizes.

    Args:
        backbone: config of a backbone of ours with an image embedding; it is frozen and stays in evaluation mode.
        crop_size: pixels of the crops that it sees.
        scales: sizes of the crops relative to the box, about its centre; ViLD takes the box and 1.5 times the box.
        chunk: crops that are encoded together.
    """

    def __init__(
        self, *, backbone: Mapping, crop_size: int = 224, scales: Sequence[float] = (1.0, 1.5), chunk: int = 64
    ) -> None:
        super().__init__()
        self.clip = MODELS.build({**backbone, "with_global": True, "frozen": True})
        self.crop_size, self.scales, self.chunk = crop_size, tuple(scales), chunk
        self.image_mean, self.image_std = self.clip.image_mean, self.clip.image_std

    def train(self, mode: bool = True) -> CropTeacher:
        """The teacher stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor, boxes: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Unit embeddings (R,C) of boxes (R,4) in an image (3,H,W) normalised for the teacher.

        Args:
            size: (H, W) of the picture in a padded image; crops end there.
        """
        size = tuple(image.shape[-2:]) if size is None else tuple(size)
        total = 0
        for scale in self.scales:
            grown = clip_boxes(grow_boxes(boxes, scale), size)
            rois = torch.cat([grown.new_zeros(len(grown), 1), grown], 1).to(image)
            total = total + torch.cat([self._encode(image, part) for part in rois.split(self.chunk)])
        return F.normalize(total, dim=1)

    def _encode(self, image: Tensor, rois: Tensor) -> Tensor:
        crops = roi_align(image[None], rois, (self.crop_size, self.crop_size), 1.0, 2, "avg", True)
        return F.normalize(self.clip(crops).global_embedding, dim=1)
