"""A segmentor whose class rows know described attributes: text semantic enrichment of ExCEL (arXiv 2503.20826).

Shapes: K classes, S phrases, A attributes, C channels of the text space.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ovdense.functional.attribute_text import cluster_attributes, enrich_rows
from ovdense.models.segmentors.open_vocab_segmentor import OpenVocabSegmentor
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary


@MODELS.register_module()
class AttributeSegmentor(OpenVocabSegmentor):
    """``OpenVocabSegmentor`` whose rows are drawn to attributes that descriptions of the classes have in common.

    Args:
        descriptions: json file of ``{name: [sentence, ...]}``, or such a dict; None leaves the rows as they are. The
            names need not be those of the vocabulary: all sentences go into one pool.
        attributes: clusters of the sentences; 112 for VOC, 224 for COCO in the paper.
        keep: share of the attributes that a class looks at.
        **kwargs: of ``OpenVocabSegmentor``; ``text_encoder`` is needed for descriptions.
    """

    def __init__(
        self,
        *,
        descriptions: str | Path | dict | None = None,
        attributes: int = 112,
        keep: float = 0.9,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.sentences = None if descriptions is None else read_descriptions(descriptions)
        self.attributes, self.keep = attributes, keep
        self._bank: Tensor | None = None
        self._enriched: tuple[Tensor, ClassEmbeddings] | None = None
        if self.sentences and self._text_encoder is None:
            raise ValueError("descriptions are encoded by the text encoder: set model.text_encoder")

    def attribute_bank(self) -> Tensor:
        """(A, C) attributes; the sentences are encoded once."""
        if self._bank is None:
            sentences = list(dict.fromkeys(self.sentences))
            vocabulary = Vocabulary(tuple(sentences), tuple((one,) for one in sentences), templates=("{}",))
            with torch.inference_mode(False), torch.no_grad():
                self._bank = cluster_attributes(self._text_encoder.encode(vocabulary).rows, self.attributes)
        return self._bank

    @property
    def class_embeddings(self) -> ClassEmbeddings:
        """The encoded vocabulary; rows of all but background names are enriched."""
        plain = OpenVocabSegmentor.class_embeddings.fget(self)
        if not self.sentences:
            return plain
        if self._enriched is None or self._enriched[0] is not plain.rows:
            with torch.inference_mode(False), torch.no_grad():
                rows = enrich_rows(plain.rows, self.attribute_bank().to(plain.rows), self.keep)
            background = plain.vocabulary.background_index
            if background is not None:
                rows = torch.where((plain.class_index == background)[:, None], plain.rows, rows)
            self._enriched = (plain.rows, replace(plain, rows=rows))
        return self._enriched[1]


def read_descriptions(source: str | Path | dict) -> list[str]:
    """All sentences, in lower case, of ``{name: [sentence, ...]}``.

    Raises:
        ValueError: something else, with what it is.
    """
    if isinstance(source, (str, Path)):
        try:
            source = json.loads(Path(source).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"no such file of descriptions: {source}") from None
    if not isinstance(source, dict) or not all(isinstance(item, (list, tuple)) and item for item in source.values()):
        raise ValueError(f"descriptions are {{name: [sentence, ...]}}, got {str(source)[:80]}")
    sentences = [sentence.lower() for item in source.values() for sentence in item]
    if not sentences:
        raise ValueError("descriptions hold no sentence")
    return sentences
