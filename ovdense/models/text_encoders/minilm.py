"""The embedded sentence encoder all-MiniLM-L6-v2: text to unit vectors, with no download and no extra package.

A 6-layer BERT (MiniLM, arXiv 2002.10957, trained for sentence similarity by sentence-transformers), mean pooling over
the tokens, unit norm. The weights are kept in 8 bits, with a scale per embedding row and per 64 values in the layers,
and become float32 on loading: 23 MB on disk, 90 MB in memory.

Shapes: N texts, L tokens of the longest text of a batch, D = 384 channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ovdense.models.text_encoders.wordpiece import WordPiece

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models" / "minilm"
SCALE = ".scale"


class Block(nn.Module):
    """One post-norm BERT layer, (N, L, D) -> (N, L, D)."""

    def __init__(self, *, width: int, heads: int, mlp_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.up = nn.Linear(width, mlp_width)
        self.down = nn.Linear(mlp_width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """``mask`` (N, 1, 1, L) is True at real tokens."""
        q, k, v = (
            layer(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(-2)
        tokens = self.attention_norm(tokens + self.out(mixed))
        return self.mlp_norm(tokens + self.down(F.gelu(self.up(tokens))))


class MiniLM(nn.Module):
    """Sentence encoder, list of N strings -> (N, 384) unit rows."""

    def __init__(
        self,
        *,
        tokenizer: WordPiece,
        width: int = 384,
        layers: int = 6,
        heads: int = 12,
        mlp_width: int = 1536,
        positions: int = 512,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.embed_dim = width
        self.word = nn.Embedding(len(tokenizer.ids), width)
        self.position = nn.Embedding(positions, width)
        self.segment = nn.Parameter(torch.zeros(width))
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.blocks = nn.ModuleList(Block(width=width, heads=heads, mlp_width=mlp_width) for _ in range(layers))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids (N, L) and mask (N, L), True at real tokens -> unit rows (N, D)."""
        tokens = self.word(ids) + self.position.weight[: ids.shape[1]] + self.segment
        tokens = self.embedding_norm(tokens)
        for block in self.blocks:
            tokens = block(tokens, mask[:, None, None, :])
        weights = mask.unsqueeze(-1).to(tokens)
        return F.normalize((tokens * weights).sum(1) / weights.sum(1), dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], *, batch_size: int = 256, truncated: list[str] | None = None) -> Tensor:
        """Unit rows (N, D) on the module's device; texts of like length share a batch, equal texts are encoded once.

        ``truncated`` receives the texts that were too long and lost their end.
        """
        device = self.segment.device
        tokenized = {}
        for text in dict.fromkeys(texts):
            tokenized[text], cut = self.tokenizer.encode(text)
            if cut and truncated is not None:
                truncated.append(text)
        order = sorted(tokenized, key=lambda text: len(tokenized[text]))
        rows = torch.empty(len(order), self.embed_dim, device=device)
        pad = self.tokenizer.ids["[PAD]"]
        for start in range(0, len(order), batch_size):
            batch = [tokenized[text] for text in order[start : start + batch_size]]
            length = max(map(len, batch))
            ids = torch.tensor([tokens + [pad] * (length - len(tokens)) for tokens in batch], device=device)
            lengths = torch.tensor([len(tokens) for tokens in batch], device=device)
            mask = torch.arange(length, device=device) < lengths[:, None]
            rows[start : start + len(batch)] = self(ids, mask).to(rows)
        where = {text: index for index, text in enumerate(order)}
        return rows[torch.tensor([where[text] for text in texts], dtype=torch.long, device=device)]


def quantize_rows(weight: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """Symmetric 8-bit values (R, C) and float16 scales (R, C / group), one per ``group`` neighbours of a row."""
    cells = weight.float().unflatten(1, (-1, group))
    scale = (cells.abs().amax(-1) / 127).clamp(min=2**-14).half()
    return (cells / scale.float()[..., None]).round().clamp(-127, 127).flatten(1).to(torch.int8), scale


def dequantize_rows(values: Tensor, scale: Tensor) -> Tensor:
    """int8 (R, C) times scales (R, G), each for C / G neighbours -> float32 (R, C)."""
    return (values.float().unflatten(1, (scale.shape[1], -1)) * scale.float()[..., None]).flatten(1)


def load_quantized(path: str | Path) -> dict[str, Tensor]:
    """A float32 state dict from a safetensors file in which ``<name>.scale`` marks an 8-bit ``<name>``."""
    stored = load_file(str(path))
    return {
        name: dequantize_rows(value, stored[name + SCALE]) if name + SCALE in stored else value.float()
        for name, value in stored.items()
        if not name.endswith(SCALE)
    }


@lru_cache(maxsize=4)
def load_minilm(device: torch.device | str = "cpu") -> MiniLM:
    """The embedded MiniLM, frozen; read from the package once per process and device."""
    with torch.device("meta"):
        model = MiniLM(tokenizer=WordPiece.from_file(FOLDER / "vocab.txt"))
    model.load_state_dict(load_quantized(FOLDER / "minilm_int8.safetensors"), assign=True)
    return model.to(device).eval().requires_grad_(False)


@lru_cache(maxsize=1)
def minilm_digest() -> str:
    """Hex digest of the embedded weights and tokens, for cache keys and text-space names."""
    digest = hashlib.sha256()
    for name in ("minilm_int8.safetensors", "vocab.txt"):
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()[:12]
