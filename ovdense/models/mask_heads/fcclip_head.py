"""The mask head of FC-CLIP (arXiv 2308.02487): Mask2Former whose proposals are embedded in the text space.

Shapes: B images, Q proposals, C channels of the text space, D channels of the mask features, h x w mask grid.
"""

from __future__ import annotations

from mmdet.models.dense_heads import Mask2FormerHead
from torch import Tensor, nn

from ovdense.functional.mask_pooling import pool_masks
from ovdense.models.mask_heads.base import TextClassifierMixin
from ovdense.registry import MODELS


@MODELS.register_module()
class FCCLIPHead(TextClassifierMixin, Mask2FormerHead):
    """Stage maps -> mask logits and in-vocabulary embeddings, (B,Q,h,w) and (B,Q,C), after each decoder layer.

    A proposal's embedding is a three-layer perceptron of its query plus the projected mean of the mask features in it.

    Args:
        kwargs: those of ``TextClassifierMixin`` and of mmdet's ``Mask2FormerHead``.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        width, mask_width = self.mask_embed[0].in_features, self.mask_embed[-1].out_features
        self.cls_embed = nn.Identity()  # mmdet's classifier: the queries as they are
        self.mask_pool_proj = nn.Sequential(nn.LayerNorm(mask_width), nn.Linear(mask_width, width))
        self.class_embed = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self.embed_dim)
        )

    def _forward_head(
        self, decoder_out: Tensor, mask_feature: Tensor, attn_mask_target_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings (B,Q,C), mask logits (B,Q,h,w) and the next layer's attention mask."""
        queries, masks, attention_mask = super()._forward_head(decoder_out, mask_feature, attn_mask_target_size)
        return self.embed_proposals(queries, mask_feature, masks), masks, attention_mask

    def embed_proposals(self, queries: Tensor, mask_features: Tensor, mask_logits: Tensor) -> Tensor:
        """In-vocabulary embeddings (B,Q,C) of queries (B,Q,D)."""
        return self.class_embed(self.mask_pool_proj(pool_masks(mask_features, mask_logits)) + queries)
