"""Two branches for one box, one trained with labels and one by a teacher: ViLD-ensemble and BARON's ensemble.

ViLD: arXiv 2104.13921, equation 5; BARON: arXiv 2302.13996. Shapes: R regions, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.fusion import fuse_by_group
from ovdense.models.roi_heads.text_bbox_head import TextConvFCBBoxHead
from ovdense.models.roi_heads.text_roi_head import TextRoIHead
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings


@MODELS.register_module()
class EnsembleTextBBoxHead(TextConvFCBBoxHead):
    """``TextConvFCBBoxHead`` with a second branch of the same layers for the class alone, which a teacher trains."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.kd_shared_convs, self.kd_shared_fcs = deepcopy(self.shared_convs), deepcopy(self.shared_fcs)
        self.kd_cls_convs, self.kd_cls_fcs = deepcopy(self.cls_convs), deepcopy(self.cls_fcs)
        self.kd_fc_cls = deepcopy(self.fc_cls)

    def set_class_embeddings(self, embeddings: ClassEmbeddings, background: Tensor | None = None) -> None:
        super().set_class_embeddings(embeddings, background)
        self.kd_fc_cls.set_class_embeddings(embeddings, background)

    def second_branch(self, x: Tensor) -> Tensor:
        """What enters the second classifier, from pooled features (R,C,h,w)."""
        x = self._branch(x, self.kd_shared_convs, self.kd_shared_fcs)
        return self._branch(x, self.kd_cls_convs, self.kd_cls_fcs)

    def second_logits(self, x: Tensor) -> Tensor:
        """Logits (R,K+1) of the second branch; its background is the first one's."""
        if self.classifier.background == "learned":
            self.kd_fc_cls.background_row = self.classifier.background_row
        return self.kd_fc_cls(self.second_branch(x))


@MODELS.register_module()
class EnsembleRoIHead(TextRoIHead):
    """Scores are first^(1 - w) * second^w, with w of 1/3 for base classes and 2/3 for novel ones.

    Args:
        second: ``base_weight`` and ``novel_weight`` (w), and ``activation``, ``softmax`` or ``sigmoid``.
        kwargs: of ``TextRoIHead``; the box head is an ``EnsembleTextBBoxHead``.
    """

    def __init__(self, *args, second: dict | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.second = dict(base_weight=1 / 3, novel_weight=2 / 3, activation="softmax") | dict(second or {})
        if self.second["activation"] not in ("softmax", "sigmoid"):
            raise ValueError(f"activation must be 'softmax' or 'sigmoid', got {self.second['activation']!r}")

    def activate(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.second["activation"] == "softmax" else logits.sigmoid()

    def fuse_scores(
        self, logits: Tensor, x: Sequence[Tensor], rois: Tensor, proposals: Sequence[InstanceData]
    ) -> Tensor:
        return self.fuse_logits(logits, self.bbox_head.second_logits(self.region_features(x, rois)))

    def fuse_logits(self, first: Tensor, second: Tensor) -> Tensor:
        """Final scores (R,K+1) of the logits of both branches."""
        base = torch.ones(first.shape[1], dtype=torch.bool, device=first.device)
        if (untrained := self.bbox_head.classifier.untrained) is not None:
            base[:-1] = ~untrained
        weights = self.second["base_weight"], self.second["novel_weight"]
        return fuse_by_group(self.activate(first), self.activate(second), base, *weights)
