"""mmseg's SAN head with any vocabulary: synonyms, and another number of classes at any time.

Shapes: B images, Q queries, S phrases, K classes (void is last).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmseg.models.decode_heads.san_head import SideAdapterCLIPHead
from torch import Tensor, nn

from ovdense.functional.similarity import synonym_max
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings


@MODELS.register_module()
class SideAdapterHead(SideAdapterCLIPHead):
    """SAN (arXiv 2302.12242) as mmseg has it; its classes follow the vocabulary.

    Args:
        reference_size: pixels (height, width) of the picture that the side network's position table is for; mmseg
            knows 640 x 640 only.
        void_weight: weight of void in the classification loss.
        **kwargs: those of mmseg's head, without ``num_classes``.
    """

    def __init__(
        self, *, reference_size: tuple[int, int] = (640, 640), void_weight: float = 0.1, train_cfg=None, **kwargs
    ) -> None:
        kwargs = ConfigDict(kwargs)
        with DefaultScope.overwrite_default_scope("mmseg"):  # QuickGELU and others are known there only
            super().__init__(num_classes=1, train_cfg=None if train_cfg is None else ConfigDict(train_cfg), **kwargs)
        self.void_weight = void_weight
        self._class_index: Tensor | None = None
        network = self.side_adapter_network
        patch = network.patch_embed.projection.kernel_size
        grid = tuple(side // length for side, length in zip(reference_size, patch))
        if grid != tuple(network.patch_embed.init_out_size):
            network.patch_embed.init_out_size = grid
            table = torch.randn(1, grid[0] * grid[1], network.pos_embed.shape[-1]) * 0.02
            network.pos_embed = nn.Parameter(table)

    def set_classes(self, embeddings: ClassEmbeddings) -> None:
        """The vocabulary of the next calls."""
        self._class_index, self.num_classes = embeddings.class_index, embeddings.num_classes
        if getattr(self, "match_masks", None) is not None:
            self.match_masks.num_classes = self.num_classes
        losses = self.loss_decode if isinstance(self.loss_decode, nn.ModuleList) else [self.loss_decode]
        for loss in losses:
            if loss.loss_name == "loss_cls_ce":
                loss.class_weight = [1.0] * self.num_classes + [self.void_weight]

    def forward(self, inputs: Sequence, deep_supervision_idxs: Sequence[int] = ()) -> tuple[list[Tensor], list[Tensor]]:
        """Mask logits (B,Q,h,w) and class logits (B,Q,K+1) of every supervised layer, the last layer last.

        ``inputs``: images, CLIP features and classifier rows (S+1,C), void last.
        """
        masks, logits = super().forward(inputs, list(deep_supervision_idxs))
        if self._class_index is None:
            return masks, logits
        return masks, [self._by_class(layer) for layer in logits]

    def _by_class(self, logits: Tensor) -> Tensor:
        """(B,Q,S+1) -> (B,Q,K+1), the best phrase of each class."""
        index = torch.cat([self._class_index, self._class_index.new_tensor([self.num_classes])])
        return synonym_max(logits.transpose(1, 2), index, self.num_classes + 1).transpose(1, 2)
