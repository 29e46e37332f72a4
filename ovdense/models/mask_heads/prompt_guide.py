"""Prompt-guided mask decoding: the queries of a mask decoder read the names that are asked for.

This is PMP-style: our reading of the abstract of PMP (arXiv 2412.10292), whose code and tables are not public. It is no
reproduction, and the abstract's gain is not claimed for it.

Shapes: B images, Q queries, D channels of the decoder, K prompts of C channels of the text space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn


class PromptAttention(nn.Module):
    """Queries attend to the prompts, (B,Q,D) -> (B,Q,D): ``q + gate * (LN(q + MHA(q, t, t)) - q)``.

    The gate is one learned number that starts at 0, where the result is the query itself, bit for bit. The prompts have
    no order and no position. The attention never holds all Q x K weights of a head where torch has a fused kernel.
    """

    def __init__(self, embed_dims: int, *, num_heads: int = 8) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f"embed_dims is a multiple of num_heads, got {embed_dims} and {num_heads}")
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dims, embed_dims)
        self.key = nn.Linear(embed_dims, embed_dims)
        self.value = nn.Linear(embed_dims, embed_dims)
        self.out = nn.Linear(embed_dims, embed_dims)
        self.norm = nn.LayerNorm(embed_dims)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, queries: Tensor, prompts: Tensor) -> Tensor:
        """Queries (B,Q,D) that have read the prompts (K,D)."""
        query = self._heads(self.query(queries))
        key, value = (
            self._heads(layer(prompts)[None]).expand(len(queries), -1, -1, -1) for layer in (self.key, self.value)
        )
        read = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return queries + self.gate * (self.norm(queries + self.out(read)) - queries)

    def _heads(self, tokens: Tensor) -> Tensor:
        """(B,N,D) -> (B,heads,N,D/heads)."""
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class GuidedFFN(FFN):
    """mmcv's FFN of a decoder layer that reads the prompts first; without prompts it is the FFN alone.

    Its own parameters are under ``prompt``, those of the FFN where they were, so that checkpoints of the plain decoder
    load.
    """

    def __init__(self, *, num_heads: int, **ffn) -> None:
        super().__init__(**ffn)
        self.prompt = PromptAttention(self.embed_dims, num_heads=num_heads)
        self.prompts: Tensor | None = None

    def forward(self, x: Tensor, identity: Tensor | None = None) -> Tensor:
        if self.prompts is not None:
            x = self.prompt(x, self.prompts)
        return super().forward(x, identity)


class PromptGuide(nn.Module):
    """Makes every layer of an mmdet mask decoder read the prompts between its attentions and its FFN.

    It serves ``Mask2FormerTransformerDecoder`` (FC-CLIP, MAFT+) and ``DetrTransformerDecoder`` (OVSeg): both call the
    layer's ``ffn`` at that place. Masks after every layer then depend on the list of names.

    Args:
        decoder: mmdet's transformer decoder; its layers' ``ffn`` are replaced by ``GuidedFFN`` of the same weights.
        text_channels: C of the prompts.
        num_heads: heads of the attention to prompts.
    """

    def __init__(self, decoder: nn.Module, text_channels: int, *, num_heads: int = 8) -> None:
        super().__init__()
        if not getattr(decoder, "layers", None) or not all(hasattr(layer, "ffn_cfg") for layer in decoder.layers):
            raise ValueError(
                "prompts guide a decoder whose layers have one FFN, as mmdet's DetrTransformerDecoder, got "
                f"{type(decoder).__name__}"
            )
        for layer in decoder.layers:
            guided = GuidedFFN(num_heads=num_heads, **layer.ffn_cfg)
            guided.load_state_dict(layer.ffn.state_dict(), strict=False)
            layer.ffn = guided
        self.project = nn.Linear(text_channels, decoder.embed_dims)
        self._guided = [layer.ffn for layer in decoder.layers]  # a list: the decoder owns them

    def forward(self, prompts: Tensor) -> Tensor:
        """The prompts (K,C) as tokens of the decoder (K,D)."""
        return self.project(prompts.to(self.project.weight))

    def set(self, prompts: Tensor | None) -> None:
        """The prompts (K,C) of the passes to come; None takes them away."""
        tokens = None if prompts is None else self(prompts)
        for guided in self._guided:
            guided.prompts = tokens
