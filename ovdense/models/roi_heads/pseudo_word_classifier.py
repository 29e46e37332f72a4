"""Regions become words, a frozen text tower reads them, and its embedding is classified (BARON, arXiv 2302.13996).

Shapes: R regions, W words of each, D channels of a word, C channels of the classes' rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.roi_heads.text_classifier import TextClassifier
from ovdense.models.segmentors.frozen_checkpoint import slim_checkpoints
from ovdense.models.text_encoders.pseudo_words import PseudoWordEncoder
from ovdense.registry import MODELS


@MODELS.register_module()
class PseudoWordClassifier(TextClassifier):
    """(R, in_features) -> words (R,W,D) -> text embedding (R,C) -> logits (R,K+1).

    The text tower is no part of the state dict.

    Args:
        in_features: width of what comes in; mmdet's heads fill it in.
        out_features: mmdet's heads fill it in; ignored.
        text: ``model`` and ``pretrained`` of the CLIP whose text tower reads the words.
        num_words: W, 6 on COCO and 4 on LVIS.
        word_dropout: share of the words that training leaves out; one always stays.
        output: ``text``, or ``last_block`` with class embeddings of that kind (ovdet's ``..._attn12.npy`` on COCO).
        kwargs: of ``TextClassifier`` without ``embed_dim`` and ``projection``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        *,
        text: dict,
        num_words: int = 6,
        word_dropout: float = 0.5,
        output: str = "text",
        **kwargs,
    ) -> None:
        if not 0 <= word_dropout < 1:
            raise ValueError(f"word_dropout is in [0, 1), got {word_dropout}")
        encoder = PseudoWordEncoder(load_clip(**text).text, output)
        super().__init__(in_features, embed_dim=encoder.embed_dim, projection=True, **kwargs)
        self.encoder, self.num_words, self.word_dropout = encoder, num_words, word_dropout
        self.projection = nn.Linear(in_features, num_words * encoder.word_dim)
        slim_checkpoints(self, "encoder")

    def words(self, x: Tensor) -> Tensor:
        """Pseudo words (R,W,D) of the features of regions (R, in_features)."""
        return self.projection(x).unflatten(1, (self.num_words, -1))

    def draw_kept(self, words: Tensor) -> Tensor:
        """(R,W) of bool: the words that are read; all of them outside of training."""
        kept = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        if self.training and self.word_dropout:
            kept = torch.rand(words.shape[:2], device=words.device) >= self.word_dropout
            kept[~kept.any(1), 0] = True
        return kept

    def embed(self, x: Tensor) -> Tensor:
        words = self.words(x)
        return self.encoder(words, self.draw_kept(words)) if len(words) else words.new_zeros(0, self.embed_dim)
