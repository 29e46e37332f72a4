"""A region classifier whose weights are text: the last layer of every open-vocabulary box head.

Shapes: R regions, S phrases, K classes, D channels of the text space.
"""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.region_classification import region_logits
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings

BACKGROUNDS = ("zero", "learned", "word")


@MODELS.register_module()
class TextClassifier(BaseModule):
    """(R, in_features) -> logits (R, K + 1), background last; K follows the vocabulary.

    It stands where mmdet's heads have their last linear layer: ``cls_predictor_cfg=dict(type='ovdense.TextClassifier',
    embed_dim=512)``. The rows are no part of the state dict.

    Args:
        in_features: width of what comes in; mmdet's heads fill it in.
        out_features: mmdet's heads fill it in; ignored.
        embed_dim: D; None where what comes in is the region embedding.
        projection: a linear layer from ``in_features`` to ``embed_dim`` (ViLD, Detic); without it the two must agree.
        logit_scale: factor of the cosine, 1 / temperature.
        learn_scale: the factor is a parameter (F-ViT).
        background: ``zero`` (logit 0, RegionCLIP), ``learned`` (a vector, ViLD) or ``word`` (the text embedding of
            "background", F-ViT).
        trained_group: group of the vocabulary that is trained; in training other classes are no negatives either,
            their logits are -inf. None trains all.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int | None = None,
        *,
        embed_dim: int | None = None,
        projection: bool = False,
        logit_scale: float = 100.0,
        learn_scale: bool = False,
        background: str = "zero",
        trained_group: str | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if background not in BACKGROUNDS:
            raise ValueError(f"background must be one of {BACKGROUNDS}, got {background!r}")
        embed_dim = embed_dim or in_features
        if not projection and embed_dim != in_features:
            raise ValueError(
                f"regions of {in_features} channels do not fit a text space of {embed_dim}: set projection=True or "
                "the width of the layers before"
            )
        self.embed_dim, self.background, self.trained_group = embed_dim, background, trained_group
        self.projection = nn.Linear(in_features, embed_dim) if projection else nn.Identity()
        scale = torch.tensor(float(logit_scale))
        self.logit_scale = nn.Parameter(scale) if learn_scale else float(logit_scale)
        if background == "learned":
            self.background_row = nn.Parameter(torch.empty(embed_dim))
            nn.init.normal_(self.background_row, std=embed_dim**-0.5)
        for name in ("rows", "class_index", "untrained", "word_row"):
            self.register_buffer(name, None, persistent=False)
        self.num_classes: int | None = None
        self.silent: int | None = None

    def set_class_embeddings(self, embeddings: ClassEmbeddings, background: Tensor | None = None) -> None:
        """Other classes: rows are put in place, nothing is computed.

        A class of the vocabulary that is called background is never an answer; with ``word`` its row is the
        background's.

        Args:
            background: (D,) row of the background for ``word``, where the vocabulary has no such class.

        Raises:
            ValueError: rows of another width, no row for the background, or no group ``trained_group``.
        """
        if embeddings.embed_dim != self.embed_dim:
            raise ValueError(
                f"the region head gives {self.embed_dim} channels but the class embeddings have "
                f"{embeddings.embed_dim}: encode the vocabulary with the text encoder of the same CLIP model"
            )
        vocabulary, index = embeddings.vocabulary, embeddings.class_index
        one_each = torch.equal(index.cpu(), torch.arange(embeddings.num_classes))
        self.rows, self.class_index = embeddings.rows, None if one_each else index
        self.num_classes, self.silent = embeddings.num_classes, vocabulary.background_index
        if self.background == "word":
            self.word_row = self._word(embeddings, background)
        self.untrained = None
        if self.trained_group is not None and self.trained_group in vocabulary.groups:
            self.untrained = torch.ones(self.num_classes, dtype=torch.bool, device=self.rows.device)
            self.untrained[list(vocabulary.group(self.trained_group))] = False

    def _word(self, embeddings: ClassEmbeddings, background: Tensor | None) -> Tensor:
        if self.silent is not None and (own := embeddings.class_index == self.silent).any():
            return embeddings.rows[own.to(embeddings.rows.device)][0]
        if background is None:
            raise ValueError(
                "background='word' needs the text embedding of the word background: give the detector a text encoder, "
                "a class 'background' in the vocabulary, or background_embedding, got none of them"
            )
        return background.to(embeddings.rows)

    def embed(self, x: Tensor) -> Tensor:
        """Region embeddings (R,D) in the text space, not normalised."""
        return self.projection(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.embed(x))

    def classify(self, embeddings: Tensor) -> Tensor:
        """Region embeddings (R,D) -> logits (R,K+1)."""
        if self.rows is None:
            raise RuntimeError("the classifier has no classes: call set_vocabulary(['cat', 'dog']) of the detector")
        row = dict(zero=None, learned=getattr(self, "background_row", None), word=self.word_row)[self.background]
        logits = region_logits(embeddings, self.rows, self.logit_scale, self.class_index, self.num_classes, row)
        if self.silent is not None:
            logits[:, self.silent] = -torch.inf
        if self.training and self.untrained is not None:
            logits = torch.cat([logits[:, :-1].masked_fill(self.untrained, -torch.inf), logits[:, -1:]], dim=1)
        return logits
