"""A text tower that learns with the model: class embeddings with gradients while it trains.

Shapes: S phrases, T templates, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.models.backbones.fine_tuning import tune_tower
from ovdense.models.backbones.open_clip_loader import Pretrained
from ovdense.models.text_encoders.towers import OpenCLIPTower
from ovdense.models.vocabulary_files import load_templates
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary
from ovdense.structures.templates import fill


@MODELS.register_module()
class TunedTextEncoder:
    """Like ``CLIPTextEncoder``, but its tower is part of the model: it learns, moves and is saved with it.

    Rows are not kept on disk. The segmentor registers ``tower``.

    Args:
        model: name of an open_clip model, or a config dict.
        pretrained: tag, local weight file or state dict.
        templates: prompt templates; None for the model's own.
        finetune: parts of the tower that learn, see ``tune_tower``; () for none.
        batch_size: sentences per forward pass.
    """

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        templates: str | Iterable[str] | None = None,
        finetune: Sequence[str] = ("q", "v", "position"),
        batch_size: int = 256,
    ) -> None:
        self.templates = load_templates(templates)
        self.batch_size = batch_size
        self._open = OpenCLIPTower(model=model, pretrained=pretrained, batch_size=batch_size, device="cpu")
        self.space, self.embed_dim = self._open.space, self._open.embed_dim
        self.tower: nn.Module = self._open.loaded.text
        self.tower.requires_grad_(False)
        if finetune:
            tune_tower(self.tower, finetune)

    @property
    def learns(self) -> bool:
        """Whether any part of the tower has gradients."""
        return any(parameter.requires_grad for parameter in self.tower.parameters())

    def rows(self, vocabulary: Vocabulary) -> Tensor:
        """Unit rows (S,C) on the tower's device, with gradients where they are on."""
        templates = vocabulary.templates or self.templates or self._open.default_templates
        sentences = [fill(template, phrase) for phrase in vocabulary.flat_phrases for template in templates]
        tokens = self._open.tokenize(sentences).to(next(self.tower.parameters()).device)
        self._open.truncated.clear()
        encoded = torch.cat([F.normalize(self.tower(part), dim=-1) for part in tokens.split(self.batch_size)])
        return F.normalize(encoded.unflatten(0, (-1, len(templates))).mean(dim=1), dim=-1)

    @torch.no_grad()
    def encode(self, vocabulary: Vocabulary, progress: bool = True) -> ClassEmbeddings:
        """Unit rows (S,C) of the tower as it is now."""
        rows = self.rows(vocabulary)
        return ClassEmbeddings(rows, torch.tensor(vocabulary.class_index), vocabulary, space=self.space)
