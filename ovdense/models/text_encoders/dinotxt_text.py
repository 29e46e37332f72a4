"""The text side of dino.txt (arXiv 2412.16334): a causal transformer whose vector has a half for each kind of token.

Shapes: N sentences, L tokens of a sentence, E channels of the transformer, C channels of an image token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.dinotxt_checkpoint import Source, read_dinotxt
from ovdense.models.text_encoders.clip_text import CLIPTextEncoder
from ovdense.models.text_encoders.towers import OpenCLIPTower
from ovdense.registry import MODELS

HEAD_WIDTH = 64
HALVES = ("patch", "class", "both")
OFFICIAL_NAMES = {
    ".attention_norm.": ".norm1.",
    ".attention.": ".attn.",
    ".ffn_norm.": ".norm2.",
    ".feed_forward.": ".mlp.",
    "head.linear_projection.": "projection.",
}


class CausalTextTransformer(nn.Module):
    """Token ids (N, L) -> (N, 2 C): the token of the highest id, the end of the text, through a projection.

    Args:
        width: E.
        layers: blocks.
        heads: of the attention.
        context_length: L at most.
        vocab_size: number of tokens.
        out_dim: 2 C.
    """

    def __init__(
        self,
        *,
        width: int = 1280,
        layers: int = 24,
        heads: int = 20,
        context_length: int = 77,
        vocab_size: int = 49408,
        out_dim: int = 2048,
    ) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.randn(context_length, width) * 0.01)
        self.blocks = nn.ModuleList(Block(width, heads, norm_layer=nn.LayerNorm) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width)
        self.projection = nn.Linear(width, out_dim, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[:length]
        later = torch.full((length, length), float("-inf"), device=x.device, dtype=x.dtype).triu(1)
        for block in self.blocks:
            x = block(x, attn_mask=later)
        x = self.ln_final(x)[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)]
        return self.projection(x)

    @classmethod
    def from_official(
        cls, tensors: Mapping[str, Tensor], source: str, heads: int | None = None
    ) -> CausalTextTransformer:
        """Built by the shapes of official weights; ``heads`` where a head is not 64 channels wide.

        Raises:
            ValueError: missing or unexpected keys.
        """
        renamed = {}
        for key, tensor in tensors.items():
            name = key.removeprefix("backbone.")
            for theirs, ours in OFFICIAL_NAMES.items():
                name = name.replace(theirs, ours)
            renamed[name] = tensor
        missing = {"token_embedding.weight", "positional_embedding", "projection.weight"} - set(renamed)
        if missing:
            raise ValueError(f"{source} is no text encoder of dino.txt, missing: {', '.join(sorted(missing))}")
        vocab_size, width = renamed["token_embedding.weight"].shape
        text = cls(
            width=width,
            layers=len({found[1] for key in renamed if (found := re.match(r"blocks\.(\d+)\.", key))}),
            heads=heads or max(1, width // HEAD_WIDTH),
            context_length=len(renamed["positional_embedding"]),
            vocab_size=vocab_size,
            out_dim=len(renamed["projection.weight"]),
        )
        load_strictly(text, renamed, f"{source} for the text encoder")
        return text


@dataclass
class LoadedText:
    """What ``OpenCLIPTower`` wants of a model."""

    name: str
    text: nn.Module
    tokenizer: object
    space: str
    digest: str | None
    embed_dim: int


class DINOTxtTower(OpenCLIPTower):
    """The text tower of dino.txt; ``half`` of its vectors, see ``DINOTxtTextEncoder``."""

    def __init__(self, *, pretrained: Source | None, half: str, text_options: Mapping, **options) -> None:
        super().__init__(model="dino.txt", pretrained=None, **options)
        self.source, self.half, self.text_options = pretrained, half, dict(text_options)

    @cached_property
    def loaded(self) -> LoadedText:
        import open_clip

        if self.source is None:
            text, space, digest = CausalTextTransformer(**self.text_options), "dinotxt/random", None
        else:
            weights = read_dinotxt(self.source)
            text = CausalTextTransformer.from_official(weights.need("text"), weights.source, **self.text_options)
            space = digest = weights.space
        tokenizer = open_clip.SimpleTokenizer(context_length=len(text.positional_embedding))
        whole = text.projection.out_features
        width = whole if self.half == "both" else whole // 2
        return LoadedText("dino.txt", text.eval(), tokenizer, space, digest, width)

    @property
    def fingerprint(self) -> dict | None:
        fingerprint = super().fingerprint
        return fingerprint and dict(fingerprint, half=self.half)

    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        rows = super().encode_sentences(sentences)
        middle = rows.shape[-1] // 2
        return {"patch": rows[:, middle:], "class": rows[:, :middle], "both": rows}[self.half]


@MODELS.register_module()
class DINOTxtTextEncoder(CLIPTextEncoder):
    """Encodes phrases through prompt templates as ``CLIPTextEncoder`` does, with the text side of dino.txt.

    Args:
        pretrained: official weights as ``read_dinotxt`` takes them, the same as for the backbone; None for random.
        half: ``patch`` (second half of a vector, for ``DenseFeatures.dense``), ``class`` (first half) or ``both``
            (for ``global_embedding``).
        text_options: ``heads`` where the weights' heads are not 64 channels wide; without weights the keyword
            arguments of ``CausalTextTransformer``.
        **kwargs: ``templates``, ``batch_size``, ``cache_dir``, ``device``, ... of ``CLIPTextEncoder``.
    """

    def __init__(
        self,
        *,
        pretrained: Source | None = None,
        half: str = "patch",
        text_options: Mapping | None = None,
        **kwargs,
    ) -> None:
        if half not in HALVES:
            raise ValueError(f"half must be one of {', '.join(HALVES)}, got {half!r}")
        super().__init__(model="dino.txt", pretrained=None, **kwargs)
        self.tower_options.update(pretrained=pretrained, half=half, text_options=text_options or {})

    @cached_property
    def tower(self) -> DINOTxtTower:
        return DINOTxtTower(**self.tower_options)
