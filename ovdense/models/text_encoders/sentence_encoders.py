"""The sentence encoders that embedded models read words with: the embedded text tower, or one given by its path.

The tower was distilled from all-MiniLM-L6-v2, so that both give unit rows in one space of 384 channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ovdense.models.text_encoders.minilm import is_minilm, load_minilm, minilm_digest
from ovdense.models.text_encoders.text_tower import is_text_tower, load_text_tower, text_tower_digest

DEFAULT = "text_tower"


class SentenceEncoder(Protocol):
    """Texts to unit rows."""

    def encode(self, texts: Sequence[str], *, batch_size: int = 256, truncated: list[str] | None = None) -> Tensor:
        """Unit rows (N, 384); ``truncated`` receives the texts that lost their end."""


@dataclass(frozen=True)
class Source:
    """How an encoder is loaded, and what identifies its weights."""

    load: Callable[[torch.device | str], SentenceEncoder]
    digest: Callable[[], str]


def sentence_source(name: str | None = None) -> Source:
    """The encoder of that name or path; None for the default.

    Args:
        name: ``text_tower``, the embedded one, or the path of another text tower (a folder of ``text_tower.py``) or of
            a copy of all-MiniLM-L6-v2 (a wheel or folder, see ``minilm.py``).

    Raises:
        ValueError: neither a known name nor such a path.
    """
    name = DEFAULT if name is None else str(name)
    if name == DEFAULT:
        return Source(load_text_tower, text_tower_digest)
    if is_text_tower(name):
        return Source(lambda device: load_text_tower(device, name), lambda: text_tower_digest(name))
    if is_minilm(name):
        return Source(lambda device: load_minilm(name, device), lambda: minilm_digest(name))
    raise ValueError(
        f"sentence_encoder is {DEFAULT!r}, or the path of a text tower or of all-MiniLM-L6-v2 (a wheel or folder), "
        f"got {name!r}"
    )
