"""Sentences of words that no tokenizer knows: region embeddings in the place of token embeddings.

Shapes: R sentences, W words each at most, L tokens with start and end, D channels of the text tower, C of the space.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PseudoWordEncoder(nn.Module):
    """(R,W,D) words -> unit text embeddings, by the frozen text tower of an open_clip model (BARON, arXiv 2302.13996).

    Args:
        tower: open_clip's ``TextTransformer`` with causal attention.
        output: ``text`` for the model's own embedding (R,C); ``last_block`` for the end token as it leaves the last
            block, (R,D), without final norm and projection, which BARON classifies with on COCO.
    """

    def __init__(self, tower: nn.Module, output: str = "text") -> None:
        super().__init__()
        if output not in ("text", "last_block"):
            raise ValueError(f"output must be 'text' or 'last_block', got {output!r}")
        if not hasattr(tower, "token_embedding") or not hasattr(tower, "transformer"):
            raise ValueError(f"pseudo words need open_clip's own text tower, got {type(tower).__name__}")
        self.tower, self.output = tower.requires_grad_(False).eval(), output

    @property
    def word_dim(self) -> int:
        return self.tower.token_embedding.embedding_dim

    @property
    def embed_dim(self) -> int:
        return self.tower.text_projection.shape[1] if self.output == "text" else self.word_dim

    def train(self, mode: bool = True) -> PseudoWordEncoder:
        """The tower stays in evaluation mode."""
        return super().train(False)

    def special(self, index: int) -> Tensor:
        """(1,D) token embedding of the ``index``-th token; -2 starts a text and -1 ends it."""
        return self.tower.token_embedding.weight[index][None]

    def sentences(self, words: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Start, the kept words (R,W) of (R,W,D), end, then token 0: (R,W+2,D), and the place of the end (R,)."""
        counts = kept.sum(1)
        order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
        packed = words.gather(1, order[..., None].expand_as(words))
        place = torch.arange(words.shape[1] + 2, device=words.device)
        tokens = torch.cat([self.special(-2).expand(len(words), 1, -1).to(words), packed, words[:, :1]], 1)
        end = counts + 1
        tokens = torch.where((place == end[:, None])[..., None], self.special(-1).to(words), tokens)
        return torch.where((place > end[:, None])[..., None], self.special(0).to(words), tokens), end

    def forward(self, words: Tensor, kept: Tensor | None = None) -> Tensor:
        """Unit embeddings (R,C) of words (R,W,D), those of ``kept`` (R,W) alone."""
        kept = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device) if kept is None else kept
        return self.encode(*self.sentences(words, kept))

    def encode(self, tokens: Tensor, end: Tensor) -> Tensor:
        """Unit embeddings (R,C) of token embeddings (R,L,D), read at place ``end`` (R,)."""
        x = self.run(tokens, len(self.tower.transformer.resblocks))
        return F.normalize(self.read(x, end), dim=-1)

    def read(self, x: Tensor, end: Tensor) -> Tensor:
        rows = x[torch.arange(len(x), device=x.device), end]
        return rows if self.output == "last_block" else self.tower.ln_final(rows) @ self.tower.text_projection

    def run(self, tokens: Tensor, blocks: int) -> Tensor:
        """Tokens (R,L,D) with positions through the first blocks."""
        length = tokens.shape[1]
        x = tokens + self.tower.positional_embedding[:length].to(tokens)
        mask = torch.full((length, length), -torch.inf, device=x.device, dtype=x.dtype).triu(1)
        for block in self.tower.transformer.resblocks[:blocks]:
            x = block(x, attn_mask=mask)
        return x

    def encode_with_words(self, tokens: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Unit embeddings (R,C), and every token's own (R,L,C): its value in the last block on the end's residual."""
        x = self.run(tokens, len(self.tower.transformer.resblocks) - 1)
        block = self.tower.transformer.resblocks[-1]
        attn, width = block.attn, x.shape[-1]
        values = F.linear(block.ln_1(x), attn.in_proj_weight[2 * width :], attn.in_proj_bias[2 * width :])
        own = x[torch.arange(len(x), device=x.device), end][:, None] + attn.out_proj(values)
        own = own + block.mlp(block.ln_2(own))
        length = x.shape[1]
        mask = torch.full((length, length), -torch.inf, device=x.device, dtype=x.dtype).triu(1)
        whole = F.normalize(self.read(block(x, attn_mask=mask), end), dim=-1)
        return whole, self.tower.ln_final(own) @ self.tower.text_projection
