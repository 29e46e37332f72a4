"""A segmentor that learns pixels from image tags alone: ExCEL (arXiv 2503.20826).

Shapes: B images, S phrases, K classes, t tags of an image, h x w patch grid, H x W pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attribute_text import normalise_tokens, surgery_maps
from ovdense.functional.pseudo_labels import (
    affinity_loss,
    affinity_truth,
    balanced_cross_entropy,
    patch_affinity_of_layers,
    pixel_labels,
    refine_maps,
)
from ovdense.functional.similarity import synonym_max
from ovdense.models.segmentors.attribute_segmentor import AttributeSegmentor
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class TaggedSegmentor(AttributeSegmentor):
    """A decoder learns from labels that the text maps of a frozen CLIP give to the tags of each picture.

    Data samples hold ``image_tags``, the class numbers that the picture shows (``ImageTags``); no mask is read.

    Args:
        calibrate_from: step from which the decoder's affinities calibrate the maps; 14,000 of 30,000 in the paper.
        learn_from_self: step from which the affinities learn from the decoder's own labels, 24,000 in the official
            code.
        box_threshold: share of a map's maximum whose boxes keep it in place.
        affinity_weight: of the affinities' loss.
        radius: patches further apart have no affinity to learn.
        colour_iterations: of PAMR on the pseudo labels; 0 for none.
        **kwargs: of ``AttributeSegmentor``; ``backbone`` is a ``SurgeryCLIP`` with ``captured=True``, ``decode_head``
            an ``ExCELHead``.
    """

    def __init__(
        self,
        *,
        calibrate_from: int = 14_000,
        learn_from_self: int = 24_000,
        box_threshold: float = 0.79,
        affinity_weight: float = 0.1,
        radius: int = 8,
        colour_iterations: int = 20,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not hasattr(self.decode_head, "fused"):
            raise TypeError(f"TaggedSegmentor needs an ExCELHead, got {type(self.decode_head).__name__}")
        if self.vocabulary is not None and self.vocabulary.num_classes != self.decode_head.num_classes:
            raise ValueError(
                f"the head has {self.decode_head.num_classes} classes, the vocabulary {self.vocabulary.num_classes}"
            )
        self.calibrate_from, self.learn_from_self = calibrate_from, learn_from_self
        self.box_threshold, self.affinity_weight, self.radius = box_threshold, affinity_weight, radius
        self.colour_iterations = colour_iterations
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of the decoder and its affinities against pseudo labels."""
        head, background = self.decode_head, self.vocabulary.background_index
        features = self.extract_feat(inputs)
        fused = head.fused(features)
        logits, affinity = head.logits(fused), head.affinity(fused)
        calibrated = int(self.step) >= self.calibrate_from
        learnt = (fused.detach(), affinity.detach()) if calibrated else None
        labels = self.pseudo_labels(inputs, features, [tags_of(sample) for sample in data_samples], learnt)
        full = F.interpolate(logits, tuple(labels.shape[-2:]), mode="bilinear")
        own = full.argmax(1) if int(self.step) >= self.learn_from_self else labels
        self.step += 1
        truth = affinity_truth(own, features.grid, self.radius)
        return {
            "decode.loss_seg": balanced_cross_entropy(full, labels, background),
            "decode.loss_affinity": self.affinity_weight * affinity_loss(affinity, truth),
        }

    @torch.no_grad()
    def class_maps(self, features: DenseFeatures) -> Tensor:
        """Text maps (B,K,h,w) in 0..1 of every class; several phrases of a class by the best."""
        embeddings = self.class_embeddings
        patches = features.dense.flatten(2).transpose(1, 2)
        tokens = normalise_tokens(torch.cat([features.global_embedding[:, None], patches], dim=1))
        maps = surgery_maps(tokens, embeddings.rows.to(tokens))[:, 1:].transpose(1, 2).unflatten(2, features.grid)
        return synonym_max(maps, embeddings.class_index, embeddings.num_classes)

    @torch.no_grad()
    def pseudo_labels(
        self,
        inputs: Tensor,
        features: DenseFeatures,
        tags: list[Tensor],
        learnt: tuple[Tensor, Tensor] | None = None,
        layers: int = 6,
    ) -> Tensor:
        """Labels (B,H,W) of normalised images by their tags.

        Args:
            learnt: fused features and affinities of the decoder, which calibrate maps and walk.
            layers: of whose attention the walk is made, counted from the end.
        """
        cells, background = features.grid[0] * features.grid[1], self.vocabulary.background_index
        source = features if learnt is None else self.backbone(inputs, learnt=learnt[0])
        maps, labels = self.class_maps(source), []
        for index, chosen in enumerate(tags):
            chosen = chosen.to(inputs.device)
            chosen = chosen[chosen != background] if background is not None else chosen
            attention = features.extras["block_attention"][index, -layers:, -cells:, -cells:]
            walk = patch_affinity_of_layers(attention, None if learnt is None else learnt[1][index])
            refined = refine_maps(maps[index, chosen], walk, self.box_threshold)
            labels.append(pixel_labels(refined, chosen, inputs[index], background, self.colour_iterations))
        return torch.stack(labels)


def tags_of(sample) -> Tensor:
    """(t,) class numbers in a data sample's metainfo."""
    tags = sample.metainfo.get("image_tags")
    if tags is None:
        raise ValueError(
            "this picture has no tags: put dict(type='ImageTags') into the pipeline and 'image_tags' among the "
            f"meta_keys of PackSegInputs, got metainfo {sorted(sample.metainfo)}"
        )
    return torch.as_tensor(tags, dtype=torch.long)
