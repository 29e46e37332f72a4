"""What every open-vocabulary model shares: a vocabulary that can be changed at any time, and its class embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ovdense.models.text_encoders import load_class_embeddings
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary
from ovdense.structures.vocabulary import is_background


class OpenVocabularyMixin:
    """Vocabulary and class embeddings of a segmentor or detector (a torch module).

    The text tower and the rows are no part of the state dict. Names are encoded on the first use after a change, so
    that building a model never loads a text tower.
    """

    def _init_vocabulary(
        self,
        *,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings: str | Path | Tensor | Mapping[str, Tensor] | ClassEmbeddings | None = None,
        space: str | None = None,
        embed_dim: int | None = None,
    ) -> None:
        """Called once by ``__init__``.

        Args:
            text_encoder: config of the encoder; None for a model that only uses given embeddings.
            vocabulary: source for ``load_vocabulary``, or keyword arguments of it as a dict with ``source``.
            class_embeddings: rows that are given: a file, a table, a dict by name, or ClassEmbeddings.
            space: text space of the image backbone; None if unknown.
            embed_dim: channels of the image features in the text space.
        """
        self._text_encoder = MODELS.build(text_encoder) if isinstance(text_encoder, Mapping) else text_encoder
        self._space, self._embed_dim = space, embed_dim
        self._vocabulary: Vocabulary | None = None
        self._trained_vocabulary: Vocabulary | None = None
        self._embeddings: ClassEmbeddings | None = None
        self._given: ClassEmbeddings | None = None
        if class_embeddings is not None:
            parsed = None if vocabulary is None else parse_vocabulary(vocabulary)
            if not isinstance(class_embeddings, ClassEmbeddings):
                class_embeddings = load_class_embeddings(class_embeddings, parsed, space=space or "")
            self._given = class_embeddings
            self.set_vocabulary(class_embeddings)
        elif vocabulary is not None:
            self.set_vocabulary(parse_vocabulary(vocabulary))

    def set_vocabulary(self, source, **parse_kwargs) -> None:
        """Changes the classes: any source of ``load_vocabulary`` with its options, or encoded ClassEmbeddings.

        Raises:
            ValueError: names that cannot be parsed, or embeddings of another text space or width.
        """
        if isinstance(source, ClassEmbeddings):
            self._check_embeddings(source)
            vocabulary, embeddings = source.vocabulary, source
        else:
            vocabulary, embeddings = load_vocabulary(source, **parse_kwargs), None
            if self._text_encoder is None:
                embeddings = self._pick_given(vocabulary)
        self._vocabulary, self._embeddings = vocabulary, embeddings
        self._dataset_meta = dict(
            classes=list(vocabulary.classes), palette=[tuple(colour) for colour in vocabulary.palette]
        )
        self._warn_other_vocabulary()

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The classes that the model answers with; None when none were given yet."""
        return self._vocabulary

    @property
    def class_embeddings(self) -> ClassEmbeddings:
        """The encoded vocabulary on the model's device; encoded on first use."""
        if self._vocabulary is None:
            raise RuntimeError(
                "the model has no vocabulary: call set_vocabulary(['cat', 'dog']) or set it in the config"
            )
        # Rows that are made during prediction have to serve training later: no inference tensors.
        with torch.inference_mode(False), torch.no_grad():
            if self._embeddings is None:
                self._embeddings = self._text_encoder.encode(self._vocabulary)
                self._check_embeddings(self._embeddings)
            device = self._own_device()
            if self._embeddings.rows.device != device:
                self._embeddings = self._embeddings.to(device)
        return self._embeddings

    @property
    def dataset_meta(self) -> dict | None:
        """Classes and palette of the vocabulary, as mm's tools and visualizers read them.

        mm's inferencers set it to COCO's or Cityscapes' names where no checkpoint is given: with a vocabulary that is
        ignored.
        """
        return self.__dict__.get("_dataset_meta")

    @dataset_meta.setter
    def dataset_meta(self, meta: dict | None) -> None:
        if self.__dict__.get("_vocabulary") is None:
            self._dataset_meta = meta

    def vocabulary_meta(self) -> dict:
        """What a checkpoint says about the vocabulary that the model was trained with."""
        return {} if self._vocabulary is None else dict(vocabulary=self._vocabulary.to_dict())

    def check_trained_vocabulary(self, meta: Mapping) -> None:
        """Remembers the vocabulary of a checkpoint's meta; names that are new to it give a warning, now and later."""
        if meta.get("vocabulary"):
            self._trained_vocabulary = Vocabulary.from_dict(meta["vocabulary"])
            self._warn_other_vocabulary()

    def _own_device(self) -> torch.device:
        tensor = next(self.parameters(), None)
        if tensor is None:
            tensor = next(self.buffers(), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def _check_embeddings(self, embeddings: ClassEmbeddings) -> None:
        remedy = "encode the vocabulary with the text encoder of the same CLIP model"
        if self._embed_dim is not None and embeddings.embed_dim != self._embed_dim:
            raise ValueError(
                f"the image backbone ({self._space or 'unknown space'}) gives {self._embed_dim} channels: {remedy}, "
                f"got class embeddings with {embeddings.embed_dim} channels ({embeddings.space or 'unknown space'})"
            )
        if self._space and embeddings.space and embeddings.space != self._space:
            raise ValueError(
                f"the image backbone lives in the text space {self._space!r}: {remedy}, got class embeddings of "
                f"{embeddings.space!r}"
            )

    def _pick_given(self, vocabulary: Vocabulary) -> ClassEmbeddings:
        """The rows of other names, out of the given ones, for a model without a text encoder."""
        if self._given is None:
            raise ValueError("the model has neither a text encoder nor class embeddings, so it cannot take names")
        given = self._given.vocabulary
        by_class = {given.classes[index]: row for index, row in zip(self._given.class_index.tolist(), self._given.rows)}
        by_phrase = (
            dict(zip(given.flat_phrases, self._given.rows)) if len(self._given.rows) == given.num_phrases else {}
        )
        return load_class_embeddings({**by_class, **by_phrase}, vocabulary, space=self._given.space)

    def _warn_other_vocabulary(self) -> None:
        trained, current = self._trained_vocabulary, self._vocabulary
        if trained is None or current is None:
            return
        known = {*trained.classes, *trained.flat_phrases}
        unseen = [name for name in current.classes if name not in known and not is_background(name)]
        if unseen:
            warnings.warn(
                f"the checkpoint was trained with {trained.num_classes} classes, of the model's {current.num_classes} "
                f"{len(unseen)} are new to it: {unseen[:5]}; their results rest on the text space alone",
                stacklevel=3,
            )


def parse_vocabulary(source) -> Vocabulary:
    """``load_vocabulary`` of a source, or of ``dict(source=..., templates=..., ...)`` as configs write it."""
    if isinstance(source, Mapping) and "source" in source and set(source) <= PARSE_FIELDS:
        return load_vocabulary(**source)
    return load_vocabulary(source)


PARSE_FIELDS = {"source", "templates", "background", "groups", "duplicates", "separator"}
