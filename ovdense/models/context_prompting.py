"""Names in the context of a picture (DenseCLIP, arXiv 2112.01518): learnt words before a name, score maps.

Shapes: B images, K classes, N learnt words, L tokens of a name, M = 1 + h * w visual tokens (global first), C channels
of the text space, D of the text tower.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.position import resize_position_table
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip


class ContextText(BaseModule):
    """Class names with learnt words before them, through a text tower of CLIP: -> (K,C) or, per picture, (B,K,C).

    Args:
        model: open_clip name or config dict.
        pretrained: tag, local file, state dict or None.
        classes: K names, or token ids (K,L).
        name_length: L, tokens of a name with start and end; names that need more raise.
        num_words: N learnt words.
        frozen: the tower has no gradients of its own; the learnt words have theirs through it either way. The official
            recipe keeps the gradients and sets a learning rate of 0 (``lr_mult=0``), to the same effect but for memory.
    """

    def __init__(
        self,
        *,
        model: str | dict,
        classes: Sequence[str] | Tensor,
        pretrained: Pretrained = None,
        name_length: int = 5,
        num_words: int = 8,
        frozen: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        loaded = load_clip(model, pretrained)
        if not isinstance(classes, Tensor):
            classes = tokenize_names(loaded.tokenizer, classes, name_length)
        self.register_buffer("tokens", classes.long(), persistent=False)
        self.tower = loaded.text
        self.embed_dim = loaded.embed_dim
        length = classes.shape[1] + num_words
        table = self.tower.positional_embedding
        if length > len(table):
            raise ValueError(f"the text tower reads {len(table)} tokens, got {classes.shape[1]} + {num_words}")
        self.tower.positional_embedding = nn.Parameter(table.detach()[:length].clone())
        self.tower.register_buffer("attn_mask", torch.full((length, length), -torch.inf).triu(1), persistent=False)
        self.words = nn.Parameter(torch.empty(1, num_words, self.tower.token_embedding.embedding_dim))
        nn.init.trunc_normal_(self.words)
        self.tower.requires_grad_(not frozen)

    def init_weights(self) -> None:
        """Weights are in place after construction."""
        self._is_init = True

    def forward(self, words: Tensor | None = None) -> Tensor:
        """Raw rows (K,C); with words (B,N,D) of each picture, (B,K,C)."""
        rows = self._encode(self.words if words is None else words)
        return rows[0] if words is None else rows

    def _encode(self, words: Tensor) -> Tensor:
        tower, tokens = self.tower, self.tokens
        batch, count = len(words), len(tokens)
        names = tower.token_embedding(tokens)[None].expand(batch, -1, -1, -1)
        words = words[:, None].expand(-1, count, -1, -1)
        x = torch.cat([names[:, :, :1], words, names[:, :, 1:]], dim=2).flatten(0, 1) + tower.positional_embedding
        x = tower.ln_final(tower.transformer(x, attn_mask=tower.attn_mask.to(x)))
        end = (tokens.argmax(1) + words.shape[2]).repeat(batch)
        x = x[torch.arange(len(x), device=x.device), end]
        projection = tower.text_projection
        x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
        return x.unflatten(0, (batch, count))


def tokenize_names(tokenizer, names: Sequence[str], length: int) -> Tensor:
    """Token ids (K,length) of names.

    Raises:
        ValueError: names that need more tokens.
    """
    tokens = tokenizer(list(names), context_length=77)
    used = tokens.argmax(1) + 1  # the end token has the largest id
    longest = int(used.max())
    if longest > length:
        raise ValueError(
            f"{names[int(used.argmax())]!r} has {longest} tokens with start and end: set name_length={longest}, got "
            f"{length}"
        )
    return tokens[:, :length]


class CrossAttention(nn.Module):
    """Queries (B,N,D) over memory (B,M,D), projections without bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q, k, v = (
            layer(part).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, part in ((self.q_proj, x), (self.k_proj, memory), (self.v_proj, memory))
        )
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ContextLayer(nn.Module):
    """Names look at each other, then at the picture, (B,K,D) x (B,M,D) -> (B,K,D)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn, self.cross_attn = CrossAttention(width, heads), CrossAttention(width, heads)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.self_attn(y, y)
        x = x + self.cross_attn(self.norm2(x), memory)
        return x + self.dropout(self.mlp(self.norm3(x)))


class ContextDecoder(nn.Module):
    """What a picture adds to text, (B,K,T) x (B,M,C) -> (B,K,T).

    Args:
        visual_dim: C.
        text_dim: T; None for C.
        width: inner channels.
    """

    def __init__(
        self,
        *,
        visual_dim: int,
        text_dim: int | None = None,
        width: int = 256,
        heads: int = 4,
        layers: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        text_dim = visual_dim if text_dim is None else text_dim
        self.memory_proj = nn.Sequential(nn.LayerNorm(visual_dim), nn.Linear(visual_dim, width), nn.LayerNorm(width))
        self.text_proj = nn.Sequential(nn.LayerNorm(text_dim), nn.Linear(text_dim, width))
        self.decoder = nn.ModuleList(ContextLayer(width, heads, dropout) for _ in range(layers))
        self.out_proj = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, text_dim))

    def forward(self, text: Tensor, visual: Tensor) -> Tensor:
        memory, x = self.memory_proj(visual), self.text_proj(text)
        for layer in self.decoder:
            x = layer(x, memory)
        return self.out_proj(x)


class ContextPrompts(BaseModule):
    """Names in the context of pictures, and their score maps.

    Args:
        text: arguments of ``ContextText``.
        decoder: arguments of ``ContextDecoder``.
        prompting: ``post``: pictures change the names' embeddings; ``pre``: they change the learnt words, and the names
            are encoded for each picture (the paper's other form, which its released code lacks).
    """

    def __init__(self, *, text: dict, decoder: dict | None = None, prompting: str = "post") -> None:
        super().__init__()
        if prompting not in ("post", "pre"):
            raise ValueError(f"prompting is 'post' or 'pre', got {prompting!r}")
        self.text, self.prompting = ContextText(**text), prompting
        channels = self.text.embed_dim
        width = channels if prompting == "post" else self.text.words.shape[-1]
        self.context_decoder = ContextDecoder(visual_dim=channels, text_dim=width, **(decoder or {}))
        self.gamma = nn.Parameter(torch.full((width,), 1e-4))
        self._rows: Tensor | None = None

    def train(self, mode: bool = True) -> ContextPrompts:
        self._rows = None
        return super().train(mode)

    def rows(self) -> Tensor:
        """Raw rows (K,C) without a picture; in evaluation they are made once."""
        if self.training or torch.is_grad_enabled():
            return self.text()
        if self._rows is None or self._rows.device != self.gamma.device:
            self._rows = self.text()
        return self._rows

    def forward(self, global_embedding: Tensor, dense: Tensor) -> Tensor:
        """Embeddings (B,K,C) of the names for pictures with (B,C) and (B,C,h,w)."""
        visual = torch.cat([global_embedding[:, None], dense.flatten(2).transpose(1, 2)], dim=1)
        if self.prompting == "pre":
            words = self.text.words.expand(len(visual), -1, -1)
            return self.text(words + self.gamma * self.context_decoder(words, visual))
        rows = self.rows().expand(len(visual), -1, -1)
        return rows + self.gamma * self.context_decoder(rows, visual)

    def score_map(self, global_embedding: Tensor, dense: Tensor) -> Tensor:
        """Cosines (B,K,h,w) of every cell with every name in its picture's context."""
        names = self(global_embedding, dense)
        return torch.einsum("bchw,bkc->bkhw", F.normalize(dense, dim=1), F.normalize(names, dim=-1))


class AttentionPool(BaseModule):
    """CLIP's attention pool with random weights, every cell a query: (B,D,h,w) -> (B,C) and (B,C,h,w).

    For backbones without a text space (DenseCLIP's any-backbone mode).

    Args:
        in_channels: D.
        embed_dim: C.
        table: side of the position table in cells; it is resized.
    """

    def __init__(self, *, in_channels: int, embed_dim: int, heads: int = 32, table: int = 16) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(table**2 + 1, in_channels) / in_channels**0.5)
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(in_channels, in_channels) for _ in range(3))
        self.c_proj, self.heads = nn.Linear(in_channels, embed_dim), heads

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        grid = tuple(x.shape[-2:])
        rows = x.flatten(2).transpose(1, 2)
        rows = torch.cat([rows.mean(1, keepdim=True), rows], dim=1)
        rows = rows + resize_position_table(self.positional_embedding, grid, "bilinear")
        q, k, v = (
            layer(rows).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = self.c_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return out[:, 0], out[:, 1:].transpose(1, 2).unflatten(2, grid)
