"""CAT-Seg (arXiv 2303.11797): the cost volume of a fine-tuned CLIP, aggregated, as a decode head.

Shapes: B images, S phrases, K classes, C channels of the text space, h x w patch grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.similarity import synonym_max
from ovdense.models.decode_heads.cost_aggregation import CostAggregator, fill_dropped
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures


@MODELS.register_module()
class CATSegHead(BaseModule):
    """Dense features, two stage maps and phrase rows -> logits of each phrase by itself (B,S,4h,4w).

    Goes with a ViT of ``attention="value+cls"`` and ``out_indices`` of two blocks, a third and two thirds deep: (3, 7)
    for ViT-B, (7, 15) for ViT-L. Any number of phrases: those beyond ``pad_len`` with the lowest cosines get -100.

    Args:
        map_channels: channels of the two stage maps.
        text_dim: C.
        guidance_channels: of the stage maps after they were upsampled 2 and 4 times.
        ignored_as_negative: pixels of ``ignore_index`` count as none of the classes, as in the official code; by
            default they count as nothing.
        ignore_index: label that says nothing about a pixel.
        **aggregator: arguments of ``CostAggregator``.
    """

    uses_text = True
    gives_probability = False

    def __init__(
        self,
        *,
        map_channels: int,
        text_dim: int,
        guidance_channels: Sequence[int] = (256, 128),
        ignored_as_negative: bool = False,
        ignore_index: int = 255,
        init_cfg: dict | None = None,
        **aggregator,
    ) -> None:
        super().__init__(init_cfg)
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(map_channels, channels, factor, factor)
            for channels, factor in zip(guidance_channels, (2, 4))
        )
        self.aggregator = CostAggregator(text_dim=text_dim, decoder_guidance=guidance_channels, **aggregator)
        if self.aggregator.prompts != 1:
            raise ValueError(f"the head takes one row a phrase, got prompts={self.aggregator.prompts}")
        self.ignored_as_negative, self.ignore_index = ignored_as_negative, ignore_index

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Logits (B,S,4h,4w), to be put through a sigmoid; -100 for phrases that were dropped."""
        logits, kept = self.kept_logits(features, rows)
        return fill_dropped(logits, kept, len(rows))

    def kept_logits(self, features: DenseFeatures, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (B,T,4h,4w) of the phrases (B,T) that were not dropped; None for all."""
        if len(features.maps) != 2 or features.dense is None:
            raise ValueError(
                "CATSegHead takes dense features and two stage maps: set out_indices of a third and two thirds of the "
                f"blocks on a ViT backbone ((3, 7) for 12 blocks), got {len(features.maps)} maps"
            )
        guidance = [layer(stage) for layer, stage in zip(self.upsample, features.maps)]
        return self.aggregator(features.dense, rows.to(features.dense)[:, None], guidance)

    def loss(
        self, features: DenseFeatures, rows: Tensor, data_samples: list, classes: ClassEmbeddings | None = None
    ) -> dict[str, Tensor]:
        """Binary cross-entropy of every class at every pixel of the labels."""
        logits = self.forward(features, rows)
        if classes is not None:
            logits = synonym_max(logits, classes.class_index, classes.num_classes)
        labels = torch.stack([sample.gt_sem_seg.data[0] for sample in data_samples]).long()
        left, top, right, bottom = features.padding
        height, width = features.image_size or labels.shape[-2:]
        size = (height + top + bottom, width + left + right)
        if features.padding != (0, 0, 0, 0):
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
            logits = logits[..., top : top + height, left : left + width]
        logits = F.interpolate(logits, size=labels.shape[-2:], mode="bilinear", align_corners=False)
        known = labels != self.ignore_index
        wrong = labels[known & (labels >= logits.shape[1])]
        if len(wrong):
            raise ValueError(
                f"the labels hold class {int(wrong[0])} but the vocabulary has {logits.shape[1]} classes: the model's "
                "vocabulary must be that of the training set"
            )
        targets = torch.zeros_like(logits)
        targets.scatter_(1, labels.where(known, 0)[:, None], known[:, None].to(targets.dtype))
        if self.ignored_as_negative:
            loss = F.binary_cross_entropy_with_logits(logits, targets)
        else:
            every = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * known[:, None]
            loss = every.sum() / (known.sum() * logits.shape[1]).clamp(min=1)
        return dict(loss_bce=loss)
