"""Mask-proposal classifiers on mmdet's MaskFormer and Mask2Former heads.

``OpenVocabMaskFormer`` (models/detectors) is the model; a method brings parts of it:

- ``mask_head``: ``class MyHead(TextClassifierMixin, Mask2FormerHead)`` (or ``MaskFormerHead``) whose ``cls_embed``
  gives embeddings (B,Q,C); ``propose(maps, samples) -> MaskProposals``, ``classify(embeddings) -> (B,Q,K+1)``. A head
  whose masks depend on the names says ``text_free = False`` and finds them in ``self._classes``.
- ``region_classifier``: ``(features, mask_logits, backbone, images) -> (embeddings (B,Q,C), usable (B,Q) or None)``, a
  subclass of ``CLIPMaskPooling``; images are the normalised input, and masks lie on a grid that covers it.
- ``ensemble``: ``(first (B,Q,K+1) logits, second (B,Q,K) logits, seen (K,), usable) -> (B,Q,K+1)`` scores, void last.
- ``neck``: DenseFeatures -> stage maps.

The mathematics is in ``functional``: ``mask_pooling``, ``mask_classification``, ``mask_postprocess``. Official
checkpoints are converted by rules (``models/mask_checkpoints``).
"""

from ovdense.models.mask_heads.base import TextClassifierMixin
from ovdense.models.mask_heads.clip_regions import CLIPMaskPooling
from ovdense.models.mask_heads.content_transfer import ContentDependentTransfer
from ovdense.models.mask_heads.ensembles import SeenUnseenEnsemble
from ovdense.models.mask_heads.fcclip_head import FCCLIPHead
from ovdense.models.mask_heads.feature_pyramid import SimpleFeaturePyramid
from ovdense.models.mask_heads.mask_adapter import MaskAdapter, MaskAdapterPooling
from ovdense.models.mask_heads.ovseg_head import OVSegEnsemble, OVSegHead
from ovdense.models.mask_heads.prompt_guided_head import (
    PromptGuidedFCCLIPHead,
    PromptGuidedMixin,
    PromptGuidedOVSegHead,
)
from ovdense.models.mask_heads.region_clip import RegionCLIPClassifier

__all__ = [
    "CLIPMaskPooling",
    "ContentDependentTransfer",
    "FCCLIPHead",
    "MaskAdapter",
    "MaskAdapterPooling",
    "OVSegEnsemble",
    "OVSegHead",
    "PromptGuidedFCCLIPHead",
    "PromptGuidedMixin",
    "PromptGuidedOVSegHead",
    "RegionCLIPClassifier",
    "SeenUnseenEnsemble",
    "SimpleFeaturePyramid",
    "TextClassifierMixin",
]
