"""Vocabulary -> class embeddings, through the text tower of a CLIP model.

Shapes: S phrases, C channels of the text space.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.models.text_encoders.cache import PhraseCache
from ovdense.models.text_encoders.progress import progress_bar
from ovdense.models.text_encoders.towers import TextTower, open_tower
from ovdense.models.vocabulary_files import load_templates
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary


@MODELS.register_module()
class CLIPTextEncoder:
    """Encodes phrases through prompt templates: the mean of the templates' unit encodings, as a unit row.

    With ``normalize=False, normalize_before_mean=False`` the rows are raw, for heads that map them (Talk2DINO).

    Not a torch module: a dense model holds the rows, never the tower. Rows are kept on disk (``cache.py``), and the
    tower is only loaded for phrases that are not there yet.

    Args:
        model: an embedded model (``lite``, ``scenes``), any name of ``load_clip`` (``ViT-B-16``), or a config dict.
        pretrained: tag, local weight file or state dict; None for embedded models.
        templates: used when a vocabulary names none, as ``load_templates`` takes them; None for the model's own
            (``single`` for CLIP).
        batch_size: sentences per forward pass.
        cache_dir: folder of encoded phrases; None for ``$OVDENSE_CACHE/text`` or ``~/.cache/ovdense/text``, False for
            no cache.
        device: where the tower runs; None for CUDA where there is one.
        precision: ``fp32``, ``fp16`` or ``bf16`` (autocast).
        context_length: tokens per sentence; None for the model's own.
        normalize_before_mean: False averages the raw encodings of the templates.
        normalize: False leaves the rows as long as they come.
        sentence_encoder: of an embedded model: ``text_tower``, or the path of another text tower or of a copy of
            all-MiniLM-L6-v2, from which the embedded tower was distilled; None for what the model's config names.
    """

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: str | Path | dict | None = None,
        templates: str | Iterable[str] | None = None,
        batch_size: int = 256,
        cache_dir: str | Path | bool | None = None,
        device: str | torch.device | None = None,
        precision: str = "fp32",
        context_length: int | None = None,
        normalize_before_mean: bool = True,
        normalize: bool = True,
        sentence_encoder: str | None = None,
    ) -> None:
        self.model, self.pretrained, self.normalize = model, pretrained, normalize
        self.templates = load_templates(templates)
        self.cache = PhraseCache(cache_dir)
        self.tower_options = dict(
            batch_size=batch_size,
            device=device,
            precision=precision,
            context_length=context_length,
            normalize_before_mean=normalize_before_mean,
        )
        if sentence_encoder is not None:
            self.tower_options["sentence_encoder"] = sentence_encoder

    @cached_property
    def tower(self) -> TextTower:
        return open_tower(self.model, self.pretrained, **self.tower_options)

    @property
    def space(self) -> str:
        """Id of the text space; the image backbone of the same weights has the same."""
        return self.tower.space

    @property
    def embed_dim(self) -> int:
        return self.tower.embed_dim

    def encode(self, vocabulary: Vocabulary, progress: bool = True) -> ClassEmbeddings:
        """Unit rows (S, C), float32 on the CPU, one for each phrase of the vocabulary; raw without ``normalize``.

        ``progress`` shows a bar on stderr when encoding takes more than a second. Warns once when phrases are longer
        than the tower's context and lose their end.
        """
        templates = vocabulary.templates or self.templates or self.tower.default_templates
        fingerprint = self.tower.fingerprint
        key = dict(tower=fingerprint, templates=list(templates), **({} if self.normalize else dict(raw=True)))
        known = self.cache.read(key) if fingerprint else {}
        missing = [phrase for phrase in dict.fromkeys(vocabulary.flat_phrases) if phrase not in known]
        if missing:
            with progress_bar(len(missing), "encoding text", enabled=progress) as advance:
                rows = self.tower.encode_phrases(missing, templates, advance)
                rows = F.normalize(rows, dim=-1) if self.normalize else rows
            fresh = dict(zip(missing, rows))
            known.update(fresh)
            if fingerprint:
                self.cache.write(key, fresh)
            self._warn_truncated()
        return ClassEmbeddings(
            rows=torch.stack([known[phrase] for phrase in vocabulary.flat_phrases]),
            class_index=torch.tensor(vocabulary.class_index),
            vocabulary=vocabulary,
            space=self.space,
        )

    def encode_captions(self, captions: Sequence[str]) -> Tensor:
        """Rows (N, C) of whole sentences, float32 on the CPU; not kept, and cut to the context without a word."""
        rows = self.tower.encode_phrases(list(captions), ("{}",), lambda count: None)
        self.tower.truncated.clear()
        return F.normalize(rows, dim=-1) if self.normalize else rows

    def _warn_truncated(self) -> None:
        cut = list(dict.fromkeys(self.tower.truncated))
        self.tower.truncated.clear()
        if cut:
            warnings.warn(
                f"{len(cut)} sentence(s) are longer than the text tower's context and lost their end: shorten the "
                f"names, got {cut[0][:120]!r}" + (" and others" if len(cut) > 1 else ""),
                stacklevel=3,
            )
