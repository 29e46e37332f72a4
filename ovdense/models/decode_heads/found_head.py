"""FOUND: objects as what is not background, on self-supervised keys (arXiv 2212.07834)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.functional.affinity import background_from_seed
from ovdense.models.backbones import DenseBackbone
from ovdense.models.head_weights import load_head
from ovdense.models.mask_refinement import snap_to_edges
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class FOUNDHead(BaseModule):
    """Keys (B,D,h,w) of a DINO -> 1 x 1 convolution -> logits (B,2,h,w) of background and object.

    Two closed classes, background 0 and object 1: alone it is a saliency model, in ``foreground`` a teacher. The
    backbone has to capture ``k``, and ``attention`` for the discovery: ``backbone=dict(capture=("k", "attention"))``.

    Args:
        in_channels: D, 384 for a ViT-S; the decoder then has 385 parameters.
        source: ``decoder``, or ``discovery``: the background that grows from the least attended patch, the paper's
            first stage, which needs no weights.
        threshold: cosine of the discovery.
        seed: patch that the discovery starts from, see ``background_from_seed``.
        pretrained: weights of the decoder: the official ``decoder_weights.pt``, a checkpoint of ours, or the name of an
            embedded head, ``scenes_found``.
        discovery_steps: steps of training that learn the discovery.
        edge_weight: of the masks moved to the edges.
        self_weight: of its own masks after those steps.
    """

    uses_text = False
    gives_probability = False
    learns_from_images = True
    num_classes = 2
    classes, palette = ("background", "object"), [[0, 0, 0], [220, 60, 40]]

    def __init__(
        self,
        *,
        in_channels: int = 384,
        source: str = "decoder",
        threshold: float = 0.3,
        seed: str = "least",
        pretrained: str | Path | None = None,
        discovery_steps: int = 100,
        edge_weight: float = 1.5,
        self_weight: float = 4.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if source not in ("decoder", "discovery"):
            raise ValueError(f"source of FOUNDHead is 'decoder' or 'discovery', got {source!r}")
        self.source, self.threshold, self.seed = source, threshold, seed
        self.discovery_steps, self.edge_weight, self.self_weight = discovery_steps, edge_weight, self_weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # of training, kept by checkpoints
        self.decoder = nn.Conv2d(in_channels, 1, 1)
        if pretrained is not None:
            load_head(self.decoder, pretrained, "decoder.")

    def forward(self, features: DenseFeatures, rows: Tensor | None = None) -> Tensor:
        """Patch logits (B,2,h,w), whose softmax is (1 - p, p) of the objectness p; ``rows`` is not used."""
        logits = self.object_logits(features)
        return torch.cat([torch.zeros_like(logits), logits], dim=1)

    def foreground(self, features: DenseFeatures) -> Tensor:
        """Objectness (B,1,h,w) in [0, 1]."""
        return self.object_logits(features).sigmoid()

    def object_logits(self, features: DenseFeatures) -> Tensor:
        """(B,1,h,w); of the discovery plus and minus 10."""
        if self.source == "discovery":
            return torch.where(self.background(features), -10.0, 10.0)[:, None]
        keys = captured(features, "k")
        if keys.shape[1] != self.decoder.in_channels:
            raise ValueError(f"FOUNDHead was built for in_channels={self.decoder.in_channels}, got {keys.shape[1]}")
        return self.decoder(keys)

    def background(self, features: DenseFeatures) -> Tensor:
        """(B,h,w) bool, true on the background that the discovery finds."""
        keys = captured(features, "k")
        grid = tuple(keys.shape[-2:])
        attention = captured(features, "attention")[:, :, 0, -grid[0] * grid[1] :].unflatten(2, grid)
        return background_from_seed(keys, attention, self.threshold, self.seed)

    def loss(
        self,
        features: DenseFeatures,
        rows: Tensor | None,
        data_samples: Sequence,
        *,
        images: Tensor,
        backbone: DenseBackbone,
    ) -> dict[str, Tensor]:
        """The decoder learns its own masks, moved to the edges of images (B,3,H,W) that are normalised for
        ``backbone``, and with them first the discovery's, later its own as they are (section 3.2)."""
        logits = self.decoder(captured(features, "k"))
        pictures, own = pictures_of(images, features, backbone), logits.detach()[:, 0] > 0
        losses = dict(loss_edges=self.edge_weight * entropy(logits, snap_to_edges(pictures, own)))
        if self.steps < self.discovery_steps:
            losses["loss_discovery"] = entropy(logits, snap_to_edges(pictures, ~self.background(features)))
        else:
            losses["loss_self"] = self.self_weight * entropy(logits, own)
        self.steps += 1
        return losses


def entropy(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross entropy of logits (B,1,h,w) and masks (B,h,w)."""
    return F.binary_cross_entropy_with_logits(logits[:, 0].float(), masks.float())


def pictures_of(images: Tensor, features: DenseFeatures, backbone: DenseBackbone) -> Tensor:
    """Normalised images as RGB in 0..255, with the padding of the features."""
    mean, std = (images.new_tensor(values)[:, None, None] for values in (backbone.image_mean, backbone.image_std))
    pictures = (255 * (images * std + mean)).round().clamp(0, 255)
    left, top, right, bottom = features.padding
    return F.pad(pictures, (left, right, top, bottom), mode="replicate") if any(features.padding) else pictures


def captured(features: DenseFeatures, name: str) -> Tensor:
    """One of the backbone's extras; ValueError says how to get it."""
    if name not in features.extras:
        raise ValueError(
            f"FOUNDHead needs {name!r}: set backbone=dict(capture=('k', 'attention')) of a DINOBackbone; the backbone "
            f"gave {sorted(features.extras) or 'no extras'}"
        )
    return features.extras[name]
