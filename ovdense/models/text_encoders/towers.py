"""Text towers behind one face: phrases through templates in, rows of the text space out.

``open_tower`` finds the tower of a model name: an embedded model, or any model of open_clip. Nothing heavy is read
before the first phrase is encoded.

Shapes: P phrases, T templates, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.models.backbones.open_clip_loader import LoadedCLIP, Pretrained, embedded_models, load_clip
from ovdense.models.text_encoders.sentence_encoders import sentence_source
from ovdense.models.vocabulary_files import load_templates
from ovdense.structures.templates import fill

PRECISIONS = dict(fp32=None, fp16=torch.float16, bf16=torch.bfloat16)
Advance = Callable[[int], None]


class TextTower(Protocol):
    """What ``CLIPTextEncoder`` needs of a tower."""

    space: str
    embed_dim: int
    default_templates: tuple[str, ...]
    fingerprint: dict | None  # what the rows depend on, for cache keys; None: not to be kept on disk
    truncated: list[str]  # sentences that were too long and lost their end

    def encode_phrases(self, phrases: Sequence[str], templates: Sequence[str], advance: Advance) -> Tensor:
        """Rows (P, C) on the CPU, of any length; ``advance`` is told how many phrases each batch finished."""


class OpenCLIPTower:
    """The text tower of an open_clip model.

    Args:
        precision: ``fp32``, ``fp16`` or ``bf16`` (autocast).
        context_length: tokens per sentence; None for the model's own.
        normalize_before_mean: False averages the raw encodings of the templates, as Talk2DINO does.
    """

    default_templates = load_templates("single")

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained,
        batch_size: int,
        device: str | torch.device | None = None,
        precision: str = "fp32",
        context_length: int | None = None,
        normalize_before_mean: bool = True,
    ) -> None:
        self.model, self.pretrained = model, pretrained
        self.batch_size, self.device, self.context_length = batch_size, pick_device(device), context_length
        if precision not in PRECISIONS:
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, got {precision!r}")
        self.precision, self.truncated = precision, []
        self.normalize_before_mean = normalize_before_mean

    @cached_property
    def loaded(self) -> LoadedCLIP:
        return load_clip(self.model, self.pretrained)

    @property
    def space(self) -> str:
        return self.loaded.space

    @property
    def embed_dim(self) -> int:
        return self.loaded.embed_dim

    @property
    def fingerprint(self) -> dict | None:
        """None for random weights, which live no longer than the process."""
        if self.loaded.digest is None:
            return None
        return dict(
            space=self.space,
            precision=self.precision,
            context_length=self.context_length,
            normalize_before_mean=self.normalize_before_mean,
        )

    def encode_phrases(self, phrases: Sequence[str], templates: Sequence[str], advance: Advance) -> Tensor:
        rows = []
        self.loaded.text.to(self.device)
        for part in chunks(phrases, max(1, self.batch_size // len(templates))):
            sentences = [fill(template, phrase) for phrase in part for template in templates]
            encoded = self.encode_sentences(sentences)
            if self.normalize_before_mean:
                encoded = F.normalize(encoded, dim=-1)
            rows.append(encoded.unflatten(0, (len(part), -1)).mean(1))
            advance(len(part))
        self.loaded.text.to("cpu")  # leaves the accelerator to the images
        return torch.cat(rows)

    @torch.no_grad()
    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        """Raw (N, C) float32 encodings on the CPU."""
        tokens = self.tokenize(sentences)
        dtype = PRECISIONS[self.precision]
        text = self.loaded.text
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None):
            rows = [text(part.to(self.device)).float().cpu() for part in tokens.split(self.batch_size)]
        return torch.cat(rows)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Token ids (N, L); sentences that are longer than the context lose their end and go to ``truncated``."""
        tokenizer = self.loaded.tokenizer
        longest = getattr(tokenizer, "context_length", None) or 77
        length = self.context_length or longest
        if not 2 < length <= longest:
            raise ValueError(f"the text tower of {self.loaded.name} reads 3 to {longest} tokens, got {length}")
        # One token of room tells a sentence that is too long from one that just fits; '' shows the padding.
        roomy = tokenizer([*sentences, ""], context_length=length + 1)
        pad, tokens = int(roomy[-1, -1]), roomy[:-1, :length]
        cut = [index for index, last in enumerate(roomy[:-1, -1].tolist()) if last != pad]
        if cut:
            self.truncated += [sentences[index] for index in cut]
            tokens[cut] = tokenizer([sentences[index] for index in cut], context_length=length)
        return F.pad(tokens, (0, longest - length), value=pad)


class SentenceTower:
    """An embedded sentence encoder minus a mean vector, for an embedded model whose config names the encoder.

    Sentence vectors share a large common part, which the image tower was trained without.
    """

    def __init__(
        self,
        *,
        name: str,
        pretrained: Pretrained = None,
        batch_size: int,
        device: str | torch.device | None = None,
        sentence_encoder: str | None = None,
    ) -> None:
        loaded = load_clip(name, pretrained)
        if "text_mean" not in loaded.tensors:
            raise ValueError(f"{loaded.source} has no text side of {name} (text_mean): it is another model's weights")
        self.source = sentence_source(sentence_encoder or loaded.config["text_cfg"].get("encoder"))
        self.mean = loaded.tensors["text_mean"].float()
        self.space, self.embed_dim = loaded.space, loaded.embed_dim
        self.default_templates = load_templates(loaded.config["text_cfg"]["templates"])
        self.batch_size, self.device = batch_size, pick_device(device)
        self.truncated: list[str] = []

    @property
    def fingerprint(self) -> dict:
        return dict(space=self.space, sentences=self.source.digest())

    def encode_phrases(self, phrases: Sequence[str], templates: Sequence[str], advance: Advance) -> Tensor:
        rows = []
        for part in chunks(phrases, self.batch_size):
            sentences = [fill(template, phrase) for phrase in part for template in templates]
            encoder = self.source.load(self.device)
            encoded = encoder.encode(sentences, batch_size=self.batch_size, truncated=self.truncated)
            rows.append(encoded.cpu().unflatten(0, (len(part), -1)).mean(1) - self.mean)
            advance(len(part))
        return torch.cat(rows)


class LiteTower:
    """The text side of the embedded photo model: sentence vectors read out through its anchors."""

    def __init__(
        self, *, batch_size: int, device: str | torch.device | None = None, sentence_encoder: str | None = None
    ) -> None:
        from ovdense.models.lite_files import lite_config
        from ovdense.models.text_encoders.lite_text import LiteText

        self.source = sentence_source(sentence_encoder or lite_config()["text_cfg"].get("encoder"))
        self.batch_size, self.device = batch_size, pick_device(device)
        self.truncated: list[str] = []
        self.text = LiteText(sentence_encoder=self.encode_sentences)
        self.space, self.embed_dim = self.text.space, self.text.embed_dim
        self.default_templates = self.text.templates

    @property
    def fingerprint(self) -> dict:
        return dict(space=self.space, sentences=self.source.digest())

    def encode_sentences(self, sentences: Sequence[str]) -> Tensor:
        encoder = self.source.load(self.device)
        return encoder.encode(sentences, batch_size=self.batch_size, truncated=self.truncated)

    def encode_phrases(self, phrases: Sequence[str], templates: Sequence[str], advance: Advance) -> Tensor:
        rows = []
        for part in chunks(phrases, self.batch_size):
            rows.append(self.text.encode_phrases(part, templates))
            advance(len(part))
        return torch.cat(rows)


def open_tower(model: str | dict, pretrained: Pretrained, *, batch_size: int, device=None, **options) -> TextTower:
    """The tower of an embedded model (``lite``, ``scenes``) or, with further options, of an open_clip model.

    Args:
        pretrained: of ``scenes`` a file of it with a tuned image tower (``export_mask_clip.py``); None for its own.
    """
    if model not in embedded_models() or (model == "lite" and pretrained is not None):
        if options.pop("sentence_encoder", None):
            raise ValueError(f"sentence_encoder is a choice of the embedded models, got model {model!r}")
        return OpenCLIPTower(model=model, pretrained=pretrained, batch_size=batch_size, device=device, **options)
    sentence_encoder = options.pop("sentence_encoder", None)
    defaults = dict(precision="fp32", context_length=None, normalize_before_mean=True)
    odd = {name: value for name, value in options.items() if value != defaults[name]}
    if odd:
        raise ValueError(f"the text side of {model!r} has no such options, got {odd}")
    if model == "lite":
        return LiteTower(batch_size=batch_size, device=device, sentence_encoder=sentence_encoder)
    options = dict(batch_size=batch_size, device=device, sentence_encoder=sentence_encoder)
    return SentenceTower(name=model, pretrained=pretrained, **options)


def pick_device(device: str | torch.device | None) -> torch.device:
    """The given device, or CUDA where there is one."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def chunks(items: Sequence, size: int) -> Iterator[Sequence]:
    """Neighbouring slices of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))
