"""CLIPSeg as a segmentor: a mask for a phrase, for a picture of an object, or for a mixture of both.

Shapes: B images, S prompts, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from mmengine.structures import PixelData
from mmseg.utils import add_prefix
from torch import Tensor

from ovdense.functional.visual_prompts import engineer_prompt
from ovdense.models.backbones.class_token_mask import masked_embeddings
from ovdense.models.segmentors.encoded_images import EncodedImages
from ovdense.models.segmentors.label_decoder import LabelRules
from ovdense.models.segmentors.open_vocab_segmentor import OpenVocabSegmentor
from ovdense.models.segmentors.window_sigmoids import WindowSigmoids, matrices
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures, Vocabulary

PROMPTS = ("engineered", "attention", "plain")


@dataclass
class DecodedWindows(WindowSigmoids):
    """Probabilities of prompts that are decoded a few at a time, as they are asked for.

    Args:
        features: of the windows of one image.
        prompts: (S,C).
        head: the decoder.
        factors: (S,) what the probability of each prompt is multiplied by.
    """

    features: DenseFeatures = None
    prompts: Tensor = None
    head: torch.nn.Module = None
    factors: Tensor = None

    def full(self, phrases: Tensor | slice = slice(None), lines: slice = slice(None)) -> Tensor:
        """(s,H',W) probabilities of some prompts on some lines."""
        windows = self.head(self.features, self.prompts[phrases])
        part = WindowSigmoids(self.grids, self.rows, self.cols, self.class_index, windows=windows, axes=self.axes)
        return part.full(slice(None), lines) * self.factors[phrases][:, None, None].to(windows)


@MODELS.register_module()
class CLIPSegmentor(OpenVocabSegmentor):
    """``OpenVocabSegmentor`` with a ``CLIPSegHead``.

    A picture whose metainfo has a ``phrase`` is answered with a binary label map and its ``phrase_prob`` (1,H,W); all
    others with a class for every pixel, the most probable of the vocabulary's binary maps, and background below
    ``vocabulary.background.threshold``.

    Args:
        threshold: probability from which a pixel belongs to a phrase.
        text_share: (low, high) of the share of the phrase where a training picture brings a picture of its object too
            (``prompt_img``); drawn evenly.
        background_factor: what the probability of a class called background is multiplied by (3 in the official
            evaluation on classes).
        official_quirks: see ``engineer_prompt`` and ``masked_embeddings``.
        **kwargs: those of ``OpenVocabSegmentor``; the text encoder gives raw rows (``normalize=False``).
    """

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        text_share: tuple[float, float] = (0.0, 0.5),
        background_factor: float = 1.0,
        official_quirks: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.threshold, self.text_share = threshold, tuple(text_share)
        self.background_factor, self.official_quirks = background_factor, official_quirks

    # Prompts

    def phrase_rows(self, phrases: Sequence[str]) -> Tensor:
        """Embeddings (B,C) of phrases; equal ones are encoded once."""
        if self._text_encoder is None:
            raise ValueError("phrases need a text encoder, and the model was built without")
        distinct = list(dict.fromkeys(phrases))
        vocabulary = Vocabulary(classes=tuple(distinct), phrases=tuple((phrase,) for phrase in distinct))
        with torch.inference_mode(False), torch.no_grad():
            rows = self._text_encoder.encode(vocabulary, progress=False).rows
        return rows[[distinct.index(phrase) for phrase in phrases]].to(self._own_device())

    @torch.no_grad()
    def image_rows(self, images: Tensor, masks: Tensor | None = None, prompt: str = "engineered") -> Tensor:
        """Embeddings (B,C) of normalised pictures (B,3,H,W) of objects, which masks (B,H,W) may point at.

        Args:
            prompt: ``engineered`` dims, blurs and cuts what surrounds the object; ``attention`` steers CLIP's class
                token; ``plain`` leaves the masks aside.
        """
        if prompt not in PROMPTS:
            raise ValueError(f"prompt must be one of {PROMPTS}, got {prompt!r}")
        if masks is not None and prompt == "attention":
            return masked_embeddings(self.backbone, images, masks, official_quirks=self.official_quirks)
        if masks is not None and prompt == "engineered":
            size = max(images.shape[-2:])
            pairs = zip(images, masks)
            quirks = dict(official_quirks=self.official_quirks)
            images = torch.stack([engineer_prompt(image, mask, size=size, **quirks) for image, mask in pairs])
        return self._global_rows(images)

    def _global_rows(self, images: Tensor) -> Tensor:
        backbone, kept = self.backbone, self.backbone.with_global
        backbone.with_global = True
        try:
            return backbone(images).global_embedding
        finally:
            backbone.with_global = kept

    def prompt_embeddings(
        self,
        names: Sequence[str],
        images: Tensor,
        masks: Tensor | None = None,
        *,
        text_share: float = 0.0,
        prompt: str = "engineered",
    ) -> ClassEmbeddings:
        """Pictures as classes, for ``set_vocabulary``: one normalised picture (3,H,W) and mask for each name.

        Args:
            text_share: share of the name's own embedding, 0 for the picture alone.
        """
        if len(names) != len(images):
            raise ValueError(f"each name needs a picture, got {len(names)} names and {len(images)} pictures")
        rows = self.image_rows(images.to(self._own_device()), masks, prompt)
        if text_share > 0:
            rows = text_share * self.phrase_rows(names) + (1 - text_share) * rows
        vocabulary = Vocabulary(classes=tuple(names), phrases=tuple((name,) for name in names))
        return ClassEmbeddings(rows.cpu(), torch.arange(len(names)), vocabulary, space=self.backbone.space)

    def conditions(self, data_samples: Sequence) -> Tensor:
        """Prompts (B,C) of pictures with phrases, mixed in training with the pictures of objects that they bring."""
        rows = self.phrase_rows([sample.metainfo["phrase"] for sample in data_samples])
        shown = [index for index, sample in enumerate(data_samples) if "prompt_img" in sample]
        if not (self.training and shown):
            return rows
        images = torch.stack([data_samples[index].prompt_img.data for index in shown]).to(rows)
        low, high = self.text_share
        share = torch.empty(len(shown), 1, device=rows.device).uniform_(low, high)
        rows = rows.clone()
        rows[shown] = share * rows[shown] + (1 - share) * self.image_rows(self.normalize(images), prompt="plain")
        return rows

    def normalize(self, images: Tensor) -> Tensor:
        """RGB pictures (B,3,H,W) in 0..255 as the data preprocessor's mean and standard deviation make them."""
        return (images - self.data_preprocessor.mean) / self.data_preprocessor.std

    # Answers

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """Label maps; binary ones, with ``phrase_prob``, where all data samples have a phrase."""
        if not data_samples or not all("phrase" in sample.metainfo for sample in data_samples):
            return super().predict(inputs, data_samples)
        with torch.no_grad():
            encoded = self.encode(inputs, [sample.metainfo for sample in data_samples])
            for index, (row, sample) in enumerate(zip(self.conditions(data_samples), data_samples)):
                probability = self._windows(encoded[index], row[None], torch.zeros(1, dtype=torch.long)).full()
                label = (probability > self.threshold).to(torch.uint8)
                sample.pred_sem_seg = PixelData(data=label)
                sample.set_field(PixelData(data=probability), "phrase_prob", PixelData)
        return data_samples

    def window_logits(self, encoded: EncodedImages) -> DecodedWindows:
        """The vocabulary's probabilities of one encoded image, and the way to its original size."""
        return self._windows(encoded, self.class_embeddings.rows, self.class_embeddings.class_index)

    def _windows(self, encoded: EncodedImages, rows: Tensor, class_index: Tensor) -> DecodedWindows:
        axes = encoded.axes(0)
        factors = rows.new_ones(len(rows))
        background = None if self.vocabulary is None else self.vocabulary.background_index
        if background is not None and len(class_index) == self.vocabulary.num_phrases:
            factors[class_index.to(rows.device) == background] = self.background_factor
        grids = rows.new_zeros(1).expand(len(rows), *(n * axis.cells for n, axis in zip(encoded.grid, axes)))
        return DecodedWindows(
            grids,
            *matrices(axes, rows.device),
            class_index,
            windows=rows,
            axes=axes,
            features=encoded.features,
            prompts=rows,
            head=self.decode_head,
            factors=factors,
        )

    def label_rules(self) -> LabelRules:
        """Each phrase has a probability of its own; there is no softmax."""
        if self.vocabulary is None:  # pictures come with phrases
            return LabelRules(num_classes=2, softmax=False, prob_threshold=self.threshold)
        return replace(super().label_rules(), softmax=False)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Binary cross-entropy of each picture's phrase."""
        without = [index for index, sample in enumerate(data_samples) if "phrase" not in sample.metainfo]
        if without:
            raise ValueError(
                "training needs a phrase for each picture: take PhraseCutDataset or PhraseFolderDataset, or put "
                f"PickPhrase into the pipeline; {len(without)} of {len(data_samples)} pictures have none"
            )
        prompts = self.conditions(data_samples)
        return add_prefix(self.decode_head.loss(self.extract_feat(inputs), prompts, data_samples), "decode")
