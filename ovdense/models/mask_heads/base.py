"""The text classifier that every mask head shares.

mmdet's ``MaskFormerHead`` and ``Mask2FormerHead`` are kept as they are; only their classifier changes. A head is

    class MyHead(TextClassifierMixin, Mask2FormerHead)

whose ``cls_embed`` gives an embedding in the text space instead of class logits. ``forward`` compares it with the rows
of the vocabulary and a learned void embedding, so that mmdet's losses see logits (B,Q,K+1) as ever, for any number of
classes; ``propose`` leaves the names out, for models that change them after the pictures were encoded.

Shapes: B images, Q proposals, S phrases, K classes (void is column K), C channels of the text space, L decoder layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ovdense.functional.mask_classification import class_logits
from ovdense.structures import ClassEmbeddings, MaskProposals

MAX_LOGIT_SCALE = 100.0


class TextClassifierMixin:
    """Class logits from text for a mask head of mmdet; to be named before it among the bases.

    Args:
        embed_dim: C.
        logit_scale: factor on the cosines: a number, or ``learned`` for CLIP's parameter, which starts at 1 / 0.07 and
            stays below 100.
        void_weight: weight of the void class in the classification loss.
        void_std: spread of the initial void embedding; None for Xavier's.
        kwargs: those of mmdet's head. The class weights of ``loss_cls`` and the numbers of classes follow the
            vocabulary.
    """

    text_free = True  # proposals and embeddings do not depend on the vocabulary

    def __init__(
        self,
        *,
        embed_dim: int,
        logit_scale: float | str = "learned",
        void_weight: float = 0.1,
        void_std: float | None = None,
        loss_cls: dict,
        **kwargs,
    ) -> None:
        loss_cls = {**loss_cls, "class_weight": [1.0, void_weight]}
        kwargs = ConfigDict(dict(loss_cls=loss_cls, **kwargs))
        super().__init__(num_things_classes=1, num_stuff_classes=0, **kwargs)
        self.embed_dim, self.void_weight = embed_dim, void_weight
        self.void_embedding = nn.Embedding(1, embed_dim)
        if void_std is None:
            nn.init.xavier_normal_(self.void_embedding.weight)
        else:
            nn.init.normal_(self.void_embedding.weight, std=void_std)
        if logit_scale == "learned":
            self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        elif isinstance(logit_scale, (int, float)) and logit_scale > 0:
            self.logit_scale = float(logit_scale)
        else:
            raise ValueError(f"logit_scale is a number above 0 or 'learned', got {logit_scale!r}")
        self._classes: ClassEmbeddings | None = None
        self._things: Tensor | None = None

    def set_classes(self, embeddings: ClassEmbeddings, things: Tensor) -> None:
        """The vocabulary of the next calls: its rows, and which of its K classes are things, (K,) bool."""
        if embeddings.embed_dim != self.embed_dim:
            raise ValueError(
                f"{type(self).__name__} embeds proposals in {self.embed_dim} channels, got class embeddings with "
                f"{embeddings.embed_dim}: encode the vocabulary with the text encoder of the same CLIP model"
            )
        self._classes, self._things = embeddings, things
        self.num_classes = embeddings.num_classes
        self.num_things_classes = int(things.sum())
        self.num_stuff_classes = self.num_classes - self.num_things_classes
        self.class_weight = [1.0] * self.num_classes + [self.void_weight]
        self.loss_cls.class_weight = self.class_weight

    @property
    def scale(self) -> float | Tensor:
        """The factor on the cosines."""
        if isinstance(self.logit_scale, float):
            return self.logit_scale
        return self.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)

    def classify(self, embeddings: Tensor, rows: Tensor | None = None, *, normalize_rows: bool = True) -> Tensor:
        """Logits (B,Q,K+1) of embeddings (B,Q,C) with the present vocabulary.

        Args:
            rows: other rows than the vocabulary's, (S,C) or (B,S,C), in its order.
            normalize_rows: False takes the rows as long as they come.

        Raises:
            RuntimeError: no vocabulary yet.
        """
        if self._classes is None:
            raise RuntimeError(f"{type(self).__name__} has no classes: call set_classes before it classifies")
        return class_logits(
            embeddings,
            self._classes.rows if rows is None else rows,
            self._classes.class_index,
            self.num_classes,
            void=self.void_embedding.weight,
            scale=self.scale,
            normalize_rows=normalize_rows,
        )

    def forward(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> tuple[list[Tensor], Sequence[Tensor]]:
        """Class logits (B,Q,K+1) and mask logits (B,Q,h,w) of every decoder layer."""
        embeddings, masks = super().forward(x, batch_data_samples)
        return [self.classify(layer) for layer in embeddings], masks

    def propose(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> MaskProposals:
        """Masks and embeddings of the last layer, before any name is known."""
        embeddings, masks = super().forward(x, batch_data_samples)
        return MaskProposals(mask_logits=masks[-1], embeddings=embeddings[-1])

    def preprocess_gt(self, batch_gt_instances: Sequence, batch_gt_semantic_segs: Sequence) -> list[InstanceData]:
        """The segments to be found: instances of things, and one mask for each stuff class of the semantic map.

        Classes may come in any order. A picture without instance labels gives all of its classes by the semantic map.
        """
        return [
            panoptic_targets(instances, None if semantic is None else semantic_map(semantic), self._things)
            for instances, semantic in zip(batch_gt_instances, batch_gt_semantic_segs)
        ]

    def loss(self, x: Sequence[Tensor], batch_data_samples: Sequence) -> dict[str, Tensor]:
        """mmdet's losses of all decoder layers."""
        for sample in batch_data_samples:
            if "gt_instances" not in sample or "labels" not in sample.gt_instances:
                device = x[0].device
                sample.gt_instances = InstanceData(labels=torch.zeros(0, dtype=torch.long, device=device))
        return super().loss(x, batch_data_samples)


def semantic_map(data) -> Tensor:
    """(H,W) labels of mmdet's (``sem_seg``) or mmseg's (``data``) pixel data."""
    return (data.sem_seg if "sem_seg" in data else data.data).squeeze(0)


def panoptic_targets(instances: InstanceData, semantic: Tensor | None, things: Tensor) -> InstanceData:
    """``labels`` (N,) and ``masks`` (N,H,W) of one picture.

    Args:
        instances: labels and masks of things; without ``masks`` the semantic map gives every class.
        semantic: (H,W) labels; those of no class (K and above, 255 for up to 255 classes) are ignored.
        things: (K,) bool.

    Raises:
        ValueError: a label that the vocabulary does not have, or neither masks nor a semantic map.
    """
    labels, count = instances.labels, len(things)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < count:
        raise ValueError(
            f"the vocabulary has {count} classes but the picture has the labels {sorted(set(labels.tolist()))}: the "
            "model's vocabulary must name the classes of the training set in its order"
        )
    whole = "masks" not in instances
    if whole and semantic is None:
        raise ValueError("a mask head learns from gt_instances with masks or from gt_sem_seg, got neither")
    parts, found = [], [labels[:0] if whole else labels]
    if not whole:
        masks = instances.masks
        parts.append(masks if isinstance(masks, Tensor) else masks.to_tensor(torch.bool, labels.device))
    if semantic is not None:
        present = torch.unique(semantic).to(labels.device)
        present = present[(present >= 0) & (present < count)]
        if not whole:
            present = present[~things.to(labels.device)[present.long()]]
        found.append(present.to(labels))
        parts.append(semantic.to(labels.device)[None] == present[:, None, None])
    return InstanceData(labels=torch.cat(found), masks=torch.cat([part.long() for part in parts]))
