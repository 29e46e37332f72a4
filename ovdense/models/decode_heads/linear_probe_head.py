"""A linear probe on frozen dense features, trained with mmseg's losses."""

from __future__ import annotations

import torch.nn.functional as F
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class LinearProbeHead(BaseDecodeHead):
    """Dense features (B,C,h,w) -> (BatchNorm) -> 1x1 convolution -> logits (B,K,h,w).

    A closed-set head: it needs no vocabulary. Losses, ignore_index 255 and accuracy are mmseg's.

    Args:
        in_channels: C of ``dense``, or of the chosen stage map.
        num_classes: K.
        map_index: which of ``DenseFeatures.maps`` to read; None reads ``dense``.
        norm: normalise the channels over the batch first (no learned scale), as DINOv2's linear probes do.
    """

    uses_text = False
    gives_probability = False

    def __init__(
        self, *, in_channels: int, num_classes: int, map_index: int | None = None, norm: bool = True, **kwargs
    ) -> None:
        kwargs.setdefault("dropout_ratio", 0.0)
        kwargs.setdefault("loss_decode", dict(type="mmseg.CrossEntropyLoss", avg_non_ignore=True))
        super().__init__(in_channels=in_channels, channels=in_channels, num_classes=num_classes, **kwargs)
        self.map_index = map_index
        self.norm = nn.BatchNorm2d(in_channels, affine=False) if norm else nn.Identity()

    def forward(self, features: DenseFeatures, rows: Tensor | None = None) -> Tensor:
        """Patch logits (B,K,h,w); ``rows`` is not used."""
        source = features.dense if self.map_index is None else features.maps[self.map_index]
        if source is None or source.shape[1] != self.in_channels:
            got = "no dense features" if source is None else f"{source.shape[1]} channels"
            raise ValueError(f"the probe was built for in_channels={self.in_channels} but the backbone gives {got}")
        return self.cls_seg(self.norm(source))

    def loss(self, features: DenseFeatures, rows: Tensor | None, data_samples: list) -> dict[str, Tensor]:
        """Losses at full resolution, over the image without the padding that the backbone added."""
        logits = self.forward(features, rows)
        height, width = data_samples[0].gt_sem_seg.shape
        left, top, right, bottom = features.padding
        size = (height + top + bottom, width + left + right)
        logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=self.align_corners)
        return self.loss_by_feat(logits[..., top : top + height, left : left + width], data_samples)
