"""A segmentor whose head learns from pictures and captions, without a single label.

Shapes: B pictures with a caption each, M attention heads, D channels of the backbone, C of the text encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.utils import add_prefix
from torch import Tensor

from ovdense.models.segmentors.open_vocab_segmentor import OpenVocabSegmentor
from ovdense.registry import MODELS


@MODELS.register_module()
class CaptionSegmentor(OpenVocabSegmentor):
    """``OpenVocabSegmentor`` trained on data samples with ``caption`` in their metainfo: Talk2DINO.

    The head supplies ``image_embeddings(features)`` and ``caption_loss(images, captions)``; backbone and text encoder
    are frozen. Samples that carry ``image_embedding`` (M,D) and ``caption_embedding`` (C,) of an earlier run, as
    ``CaptionFeaturesHook`` puts in, need neither of both.

    Args:
        **kwargs: of ``OpenVocabSegmentor``; ``text_encoder`` is needed.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        for name in ("image_embeddings", "caption_loss"):
            if not hasattr(self.decode_head, name):
                raise TypeError(
                    "CaptionSegmentor needs a head that learns from captions, such as Talk2DINOHead, got "
                    f"{type(self.decode_head).__name__}"
                )
        if any(parameter.requires_grad for parameter in self.backbone.parameters()):
            raise ValueError("CaptionSegmentor learns on a frozen backbone: set backbone.frozen=True")

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Loss of matching pictures and captions within the batch.

        Raises:
            ValueError: samples without a caption.
        """
        if "image_embedding" in data_samples[0]:
            images = torch.stack([sample.image_embedding for sample in data_samples])
            captions = torch.stack([sample.caption_embedding for sample in data_samples])
        else:
            images = self.embed_images(inputs)
            captions = self.embed_captions([caption_of(sample) for sample in data_samples])
        captions = captions.to(images)
        return add_prefix(self.decode_head.caption_loss(images, captions), "decode")

    @torch.no_grad()
    def embed_images(self, inputs: Tensor) -> Tensor:
        """What the head needs of normalised images (B,3,H,W): (B,M,D)."""
        return self.decode_head.image_embeddings(self.extract_feat(inputs))

    @torch.no_grad()
    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Rows (B,C) of sentences, on the CPU."""
        if self._text_encoder is None:
            raise ValueError("learning from captions needs model.text_encoder in the config")
        return self._text_encoder.encode_captions(captions)


def caption_of(sample) -> str:
    """The caption in a data sample's metainfo."""
    caption = sample.metainfo.get("caption")
    if not caption:
        raise ValueError(
            "this picture has no caption: use a dataset with captions (CocoCaptionsDataset, ScenesSegDataset) and "
            f"PackSegInputs with 'caption' among its meta_keys, got metainfo {sorted(sample.metainfo)}"
        )
    return caption
