"""CLIP-DINOiser: CLIP's dense features pooled along correspondences that CLIP itself learned from DINO.

arXiv 2312.12359. Shapes: B images, D channels of a CLIP token, C channels of the text space, S phrases, N = h * w.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.affinity import cosine_affinity, pool_by_affinity
from ovdense.functional.similarity import pixel_logits
from ovdense.models.backbones import DenseBackbone
from ovdense.models.head_weights import load_head
from ovdense.models.teachers import Teacher, correspondences
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CLIPDINOiserHead(BaseModule):
    """Dense features and phrase rows -> probabilities (B,S,h,w) of pooled features. Two convolutions learn.

    The backbone has to capture ``mlp_input`` of the third last block:
    ``backbone=dict(attention="value", capture=("mlp_input",))``.

    Args:
        in_channels: D, 768 for a ViT-B.
        proj_channels: of the space in which patches are compared.
        kernel_size: of the projection.
        gamma: cosines below it do not pool (eq. 2), of the student here and of its teacher in training.
        delta: with ``apply_found``, patches whose best phrase is less likely than this may become background.
        apply_found: background by objectness, on the patch grid: patches that are unsure and no object get probability
            1 for ``background_row``. The paper does so for VOC21 and COCO-Object. The vocabulary's own policy
            ``objectness`` needs no row for the background, but cuts at full size and asks nobody how sure he is.
        background_row: phrase of the background class.
        official_quirks: in a batch, mark the background where the official code does: its first image takes that of
            the others, in its next classes. Without it each image keeps its own.
        temperature: factor of the cosines in the softmax.
        pretrained: weights of both convolutions: the official ``last.pt``, a checkpoint of ours, or the name of an
            embedded head, ``scenes_dinoiser``.
        sharpness: of the correspondence loss, see ``dinoiser_losses``; None as the official code.
        correspondence_teacher: for training, see ``Teacher``; its ``feature`` is what is compared (``v``, ``k`` or
            ``maps``) and its ``threshold`` the cosine from which patches belong together; default gamma.
        objectness_teacher: for training, see ``Teacher``; its ``antialias`` says how its map reaches the patch grid:
            False as in the official run.
    """

    uses_text = True
    gives_probability = True
    learns_from_images = True

    def __init__(
        self,
        *,
        in_channels: int = 768,
        proj_channels: int = 256,
        kernel_size: int = 3,
        gamma: float = 0.2,
        delta: float = 0.99,
        apply_found: bool = False,
        background_row: int = 0,
        official_quirks: bool = False,
        temperature: float = 100.0,
        sharpness: float | None = None,
        pretrained: str | Path | None = None,
        correspondence_teacher: dict | None = None,
        objectness_teacher: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.gamma, self.delta = gamma, delta
        self.temperature, self.sharpness = temperature, sharpness
        self.apply_found, self.background_row = apply_found, background_row
        self.official_quirks = official_quirks
        self.obj_proj = nn.Conv2d(
            in_channels, proj_channels, kernel_size, padding=kernel_size // 2, padding_mode="replicate"
        )
        self.bkg_decoder = nn.Conv2d(in_channels, 1, 1)
        if pretrained is not None:
            load_head(self, pretrained)
        self.teachers = None if correspondence_teacher is None else Teachers(correspondence_teacher, objectness_teacher)

    def forward(self, features: DenseFeatures, rows: Tensor) -> Tensor:
        """Probabilities (B,S,h,w) of the phrases."""
        pooled = pool_by_affinity(features.dense, self.correlations(features), self.gamma)
        probability = pixel_logits(pooled, rows, self.temperature).softmax(1)
        if self.apply_found:
            unsure = probability.amax(1) < self.delta
            background = unsure & (self.foreground(features)[:, 0] <= 0.5)
            probability = mark_background(probability, background, self.background_row, self.official_quirks)
        return probability

    def correlations(self, features: DenseFeatures) -> Tensor:
        """(B,N,N) cosines of the projected patches."""
        return cosine_affinity(self.obj_proj(self.inner(features)))

    def object_logits(self, features: DenseFeatures) -> Tensor:
        """(B,1,h,w) logits of the objectness."""
        return self.bkg_decoder(F.normalize(self.inner(features), dim=1))

    def foreground(self, features: DenseFeatures) -> Tensor:
        """Objectness (B,1,h,w) in [0, 1], for the background policy ``objectness``."""
        return self.object_logits(features).sigmoid()

    def inner(self, features: DenseFeatures) -> Tensor:
        """What enters the MLP of an inner block, (B,D,h,w)."""
        if "mlp_input" not in features.extras:
            raise ValueError(
                "CLIP-DINOiser reads an inner layer: set backbone=dict(capture=('mlp_input',)); the backbone gave "
                f"{sorted(features.extras) or 'no extras'}"
            )
        maps = features.extras["mlp_input"]
        if maps.shape[1] != self.bkg_decoder.in_channels:
            raise ValueError(
                f"CLIPDINOiserHead was built for in_channels={self.bkg_decoder.in_channels} but the backbone's tokens "
                f"have {maps.shape[1]} channels: train it for this backbone"
            )
        return maps

    def loss(
        self,
        features: DenseFeatures,
        rows: Tensor | None,
        data_samples: Sequence,
        *,
        images: Tensor,
        backbone: DenseBackbone,
    ) -> dict[str, Tensor]:
        """Losses of both convolutions (eq. 3 and 4) on images (B,3,H,W) that are normalised for ``backbone``."""
        if self.teachers is None:
            raise ValueError("training CLIPDINOiserHead needs correspondence_teacher and objectness_teacher, got none")
        belongs, objects = self.teachers(images, backbone, features.grid, self.gamma)
        return dinoiser_losses(
            self.correlations(features), self.object_logits(features), belongs, objects, self.sharpness
        )


def mark_background(probability: Tensor, background: Tensor, row: int = 0, official_quirks: bool = False) -> Tensor:
    """Probabilities (B,S,h,w) with a 1 for phrase ``row`` on the background (B,h,w)."""
    marked = probability.clone()
    if official_quirks:  # the official code takes (B,S,N) for (1,S,B*N); the same for a batch of one
        marked.view(-1)[row * background.numel() :][: background.numel()].masked_fill_(background.flatten(), 1.0)
    else:
        marked[:, row].masked_fill_(background, 1.0)
    return marked


class Teachers:
    """Both teachers of a head; a plain object, so that their weights are no part of it."""

    def __init__(self, correspondence: dict, objectness: dict | None) -> None:
        if objectness is None:
            raise ValueError("CLIPDINOiserHead learns from two teachers: objectness_teacher is missing")
        correspondence, objectness = dict(correspondence), dict(objectness)
        self.feature, self.threshold = correspondence.pop("feature", "v"), correspondence.pop("threshold", None)
        self.antialias = objectness.pop("antialias", False)
        self.correspondence, self.objectness = Teacher(**correspondence), Teacher(**objectness)

    def __call__(
        self, images: Tensor, student: DenseBackbone, grid: tuple[int, int], gamma: float
    ) -> tuple[Tensor, Tensor]:
        """(B,N,N) bool which patches belong together, (B,1,h,w) bool which show an object."""
        seen = self.correspondence.features(images, student)
        threshold = gamma if self.threshold is None else self.threshold
        belongs = correspondences(seen, grid, feature=self.feature, threshold=threshold)
        if not self.objectness.sees_as(self.correspondence):
            seen = self.objectness.features(images, student)
        return belongs, self.objectness.objects(seen, grid, antialias=self.antialias)


def dinoiser_losses(
    correlations: Tensor, object_logits: Tensor, belongs: Tensor, objects: Tensor, sharpness: float | None = None
) -> dict[str, Tensor]:
    """Binary cross entropies of the correlations (B,N,N) and of the objectness (B,1,h,w), eq. 3 and 4.

    The official code takes the cosines, cut at 0, for logits: a pair is never surer than sigmoid(1) = 0.73. With
    ``sharpness`` the logits are ``sharpness * (cosine - 1/2)``.
    """
    entropy = F.binary_cross_entropy_with_logits
    cosine = correlations.float()
    logits = cosine.masked_fill(cosine < 0, 0) if sharpness is None else sharpness * (cosine - 0.5)
    return dict(
        loss_correspondence=entropy(logits, belongs.float()),
        loss_objectness=entropy(object_logits.float(), objects.float()),
    )
