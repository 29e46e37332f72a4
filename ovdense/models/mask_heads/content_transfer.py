"""Content-dependent transfer of MAFT+: class embeddings that have looked at the picture.

Shapes: B images, S phrases, C channels of the text space, h x w feature map.
"""

from __future__ import annotations

import torch
from mmdet.models.layers import SinePositionalEncoding
from torch import Tensor, nn

MODES = ("semantic", "panoptic")


class ContentDependentTransfer(nn.Module):
    """Text rows attend to the picture's dense features, (B,C,h,w) x (S,C) -> (B,S,C).

    MAFT+ (arXiv 2408.00744): with ``a = MHA(query=t, key=x + sine position, value=x)``, ``semantic`` models
    give ``LN(t + MLP(a))`` and ``panoptic`` ones ``t + LN(MLP(a))``, whose MLP starts at zero. The rows that come out
    are not made unit length again: their length weighs in the logits.

    Args:
        embed_dim: C, a multiple of 4 and of ``num_heads``.
        num_heads: heads of the attention.
        mode: ``semantic`` or ``panoptic``.
    """

    def __init__(self, embed_dim: int, *, num_heads: int = 8, mode: str = "semantic") -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"mode is one of {MODES}, got {mode!r}")
        if embed_dim % 4 or embed_dim % num_heads:
            raise ValueError(
                f"embed_dim is a multiple of 4 (positions) and of num_heads, got {embed_dim} and {num_heads} heads"
            )
        self.mode = mode
        self.position = SinePositionalEncoding(embed_dim // 2, normalize=True)
        self.attention = nn.MultiheadAttention(embed_dim, num_heads, batch_first=True)
        self.norm = nn.LayerNorm(embed_dim)
        nn.init.xavier_uniform_(self.attention.out_proj.weight)
        self.mlp = nn.Linear(embed_dim, embed_dim)
        if mode == "panoptic":
            nn.init.zeros_(self.mlp.weight)
            nn.init.zeros_(self.mlp.bias)

    def forward(self, features: Tensor, rows: Tensor) -> Tensor:
        """Rows (B,S,C) of each image; they may be of any length.

        Args:
            features: (B,C,h,w) dense features in the text space.
            rows: (S,C) unit rows of the phrases.
        """
        if features.shape[1] != rows.shape[-1]:
            raise ValueError(
                f"the dense features have {features.shape[1]} channels but the class embeddings {rows.shape[-1]}: "
                "encode the vocabulary with the text encoder of the same CLIP model"
            )
        rows = rows.to(features).expand(len(features), *rows.shape)
        nowhere = torch.zeros_like(features[:, 0], dtype=torch.bool)
        position = self.position(nowhere).to(features).flatten(2).transpose(1, 2)
        tokens = features.flatten(2).transpose(1, 2)
        update = self.mlp(self.attention(rows, tokens + position, tokens, need_weights=False)[0])
        return self.norm(rows + update) if self.mode == "semantic" else rows + self.norm(update)
