"""A mask classifier whose frozen CLIP learns to name masks: Mask-Adapter's two stages, and tuning on true masks.

Shapes: B images, Q proposals, N masks of a picture, K classes, C channels of the text space, H x W pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from torch import Tensor

from ovdense.models.detectors.open_vocab_maskformer import OpenVocabMaskFormer
from ovdense.models.losses.mask_consistency import consistency_loss, match_proposals
from ovdense.models.teachers import Teacher
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

ADAPTER = (r"region_classifier\.adapter\.",)


@MODELS.register_module()
class MaskTunedMaskFormer(OpenVocabMaskFormer):
    """An ``OpenVocabMaskFormer`` whose proposals stay as they are while its region classifier learns from masks.

    The classes of true masks are learned by cross entropy. With ``num_matched`` proposals that cover a true mask well
    have its class too, and shall have its embedding (mask consistency). At test time it is an ``OpenVocabMaskFormer``.

    - Mask-Adapter (arXiv 2412.04533): the adapter learns, first from true masks (``num_matched=0``), then from both.
    - Tuning on true masks alone, in the manner of MaskCLIP++ (arXiv 2412.11464): ``tuned`` names parts of the backbone,
      which has ``frozen=False``; ``anchor_weight`` holds its embeddings near those of a frozen copy.

    Args:
        tuned: patterns of the names of the parameters that learn; all others are frozen.
        num_true: true masks of a picture in a step, drawn at random where there are more.
        num_matched: proposals of a picture in a step, the best by IoU.
        iou_thr: lowest IoU of a proposal with its true mask.
        class_weight: weight of the cross entropy.
        consistency_weight: weight of the mask consistency.
        anchor_weight: weight of one minus the cosine with a frozen copy's embeddings; 0 for no copy.
        teacher: config of the frozen copy; None for the backbone's own, which must then name its weights.
        options: those of ``OpenVocabMaskFormer``.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        tuned: Sequence[str] = ADAPTER,
        num_true: int = 16,
        num_matched: int = 8,
        iou_thr: float = 0.7,
        class_weight: float = 2.0,
        consistency_weight: float = 5.0,
        anchor_weight: float = 0.0,
        teacher: dict | None = None,
        **options,
    ) -> None:
        super().__init__(backbone=backbone, **options)
        if self.region_classifier is None or not hasattr(self.region_classifier, "embed_binary"):
            raise ValueError("mask tuning needs a region_classifier that pools: MaskAdapterPooling or CLIPMaskPooling")
        self.num_true, self.num_matched, self.iou_thr = num_true, num_matched, iou_thr
        self.class_weight, self.consistency_weight = class_weight, consistency_weight
        self.anchor_weight = anchor_weight
        self._teacher = Teacher(backbone=teacher or backbone)
        self._tune(tuned)

    def _tune(self, patterns: Sequence[str]) -> None:
        """Leaves gradients to the parameters whose names begin with a pattern."""
        learning = 0
        for name, parameter in self.named_parameters():
            learns = any(re.match(pattern, name) for pattern in patterns)
            if learns and name.startswith("backbone.") and self.backbone.frozen:
                raise ValueError(f"{name} cannot learn in a frozen backbone: set backbone.frozen=False")
            parameter.requires_grad_(learns)
            learning += learns
        if not learning:
            raise ValueError(f"no parameter's name begins with one of {list(patterns)}: set tuned")

    def train(self, mode: bool = True) -> MaskTunedMaskFormer:
        """The proposals' head stays in evaluation mode."""
        super().train(mode)
        self.mask_head.eval()
        return self

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """``loss_region_cls``, and ``loss_consistency`` and ``loss_anchor`` where they have a weight."""
        self._hand_on_classes()
        features, head = self.extract_feat(batch_inputs), self.mask_head
        targets = head.preprocess_gt(
            [sample.gt_instances for sample in batch_data_samples],
            [sample.get("gt_sem_seg") for sample in batch_data_samples],
        )
        proposals = self._proposals(features, batch_inputs) if self.num_matched else [None] * len(targets)
        found, labels, pairs, places = [], [], [], []
        for index, target in enumerate(targets):
            masks, names, matched = self._masks_of_step(target, proposals[index], tuple(batch_inputs.shape[-2:]))
            embeddings = self.region_classifier.embed_binary(features[index], masks[None], self.backbone)[0]
            found.append(embeddings)
            labels.append(names)
            places.append(masks)
            if len(matched):  # the last masks are the matched proposals
                pairs.append((embeddings[len(masks) - len(matched) :], embeddings[matched].detach()))
        embeddings, labels = torch.cat(found), torch.cat(labels)
        losses = dict(loss_region_cls=self.class_weight * self._classification(embeddings, labels))
        if self.num_matched and self.consistency_weight:
            ours, theirs = (torch.cat(part) for part in zip(*pairs)) if pairs else (embeddings[:0], embeddings[:0])
            losses["loss_consistency"] = self.consistency_weight * consistency_loss(ours, theirs)
        if self.anchor_weight:
            losses["loss_anchor"] = self.anchor_weight * self._anchor(batch_inputs, places, embeddings)
        return losses

    @torch.no_grad()
    def _proposals(self, features: DenseFeatures, images: Tensor) -> Tensor:
        """Mask logits (B,Q,h,w) of the head."""
        size = tuple(images.shape[-2:])
        samples = [DetDataSample(metainfo=dict(batch_input_shape=size, img_shape=size)) for _ in images]
        return self.mask_head.propose(self.stage_maps(features), samples).mask_logits

    def _masks_of_step(self, target, logits: Tensor | None, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Masks (N,H,W), their classes (N,), and the true mask's place of each matched proposal, which come last."""
        masks = target.masks.float()
        masks = F.pad(masks, (0, size[1] - masks.shape[2], 0, size[0] - masks.shape[1]))
        kept = masks.flatten(1).any(1).nonzero().flatten()
        if len(kept) > self.num_true:
            kept = kept[torch.randperm(len(kept), device=kept.device)[: self.num_true]]
        masks, labels = masks[kept], target.labels[kept]
        if logits is None or not len(masks):
            return masks, labels, labels[:0]
        threshold = getattr(self.region_classifier, "threshold", 0.5)
        chosen, partner = match_proposals(logits.sigmoid() > threshold, masks, self.iou_thr, self.num_matched)
        shown = (logits[chosen].sigmoid() > threshold).float()
        shown = F.interpolate(shown[None], size, mode="bilinear", align_corners=False)[0]
        return torch.cat([masks, shown]), torch.cat([labels, labels[partner]]), partner

    def _classification(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of embeddings (N,C) over the K classes; 0 without masks."""
        logits = self.region_logits(embeddings[None])[0].float()
        return F.cross_entropy(logits, labels) if len(labels) else logits.sum()

    def _anchor(self, images: Tensor, masks: list[Tensor], embeddings: Tensor) -> Tensor:
        """Distance of the embeddings (N,C) from a frozen copy's."""
        features = self._teacher.features(images, self.backbone)
        with torch.no_grad():
            theirs = torch.cat(
                [
                    self.region_classifier.embed_binary(features[index], own[None], self._teacher.backbone)[0]
                    for index, own in enumerate(masks)
                ]
            )
        return consistency_loss(embeddings, theirs)
