"""Cosine with every phrase, where regions are things and what lies outside of them is stuff.

Shapes: B images, S phrases, C channels, h x w cells.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.similarity import pixel_logits
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures


@MODELS.register_module()
class ThingStuffHead(BaseModule):
    """Features of ``RegionRefinedBackbone`` and phrase rows (S,C) -> cosines (B,S,h,w), the wrong kind set back.

    The vocabulary's group ``thing`` says which classes are things. Without that group, or where all classes are of one
    kind, every phrase may win everywhere.

    Args:
        penalty: what is taken off the cosines of things outside of regions and of stuff inside.
    """

    uses_text = True
    uses_classes = True
    gives_probability = False

    def __init__(self, *, penalty: float = 2.0, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.penalty = penalty

    def forward(self, features: DenseFeatures, rows: Tensor, classes: ClassEmbeddings | None = None) -> Tensor:
        """Patch logits (B,S,h,w); ``features.maps[-1]`` (B,1,h,w) is 1 in regions and 0 elsewhere."""
        logits = pixel_logits(features.dense, rows)
        thing = None if classes is None else things(classes)
        if thing is None or thing.all() or not thing.any():
            return logits
        inside = features.maps[-1]
        return logits - self.penalty * torch.where(thing.to(logits.device)[:, None, None], 1 - inside, inside)


def things(classes: ClassEmbeddings) -> Tensor | None:
    """(S,) bool: which phrases name things; None where the vocabulary does not say."""
    vocabulary = classes.vocabulary
    if vocabulary is None or "thing" not in vocabulary.groups:
        return None
    return torch.isin(classes.class_index.cpu(), torch.tensor(vocabulary.group("thing")))
