"""The sentence encoders that embedded models read words with: ``minilm`` and ``text_tower``, distilled from it.

Both give unit rows in one space of 384 channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ovdense.models.text_encoders.minilm import load_minilm, minilm_digest
from ovdense.models.text_encoders.text_tower import load_text_tower, text_tower_digest

DEFAULT = "minilm"


class SentenceEncoder(Protocol):
    """Texts to unit rows."""

    def encode(self, texts: Sequence[str], *, batch_size: int = 256, truncated: list[str] | None = None) -> Tensor:
        """Unit rows (N, 384); ``truncated`` receives the texts that lost their end."""


@dataclass(frozen=True)
class Source:
    """How an encoder is loaded, and what identifies its weights."""

    load: Callable[[torch.device | str], SentenceEncoder]
    digest: Callable[[], str]


SOURCES = {
    "minilm": Source(load_minilm, minilm_digest),
    "text_tower": Source(load_text_tower, text_tower_digest),
}


def sentence_source(name: str | None = None) -> Source:
    """The encoder of that name; None for the default.

    Raises:
        ValueError: unknown name.
    """
    name = DEFAULT if name is None else name
    if name not in SOURCES:
        raise ValueError(f"sentence_encoder is one of {', '.join(SOURCES)}, got {name!r}")
    return SOURCES[name]
