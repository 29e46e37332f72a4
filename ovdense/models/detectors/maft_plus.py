"""MAFT+ (arXiv 2408.00744): a CLIP that is tuned on masks and texts that look at the picture.

Shapes: B images, Q proposals, S phrases, K classes (void is column K), C channels of the text space.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.mask_classification import class_logits
from ovdense.models.detectors.open_vocab_maskformer import OpenVocabMaskFormer
from ovdense.models.losses.mask_text import compensation_loss, mask_ranking_loss
from ovdense.models.mask_heads.content_transfer import ContentDependentTransfer
from ovdense.models.teachers import Teacher
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, MaskProposals

TUNED = (r"visual\.trunk\.(stem|stages|norm_pre)\.",)


@MODELS.register_module()
class MAFTPlus(OpenVocabMaskFormer):
    """FC-CLIP's proposals, named by a tuned CLIP and content-dependent text alone.

    The head's own classes say only how likely a proposal is void; the weights of an ensemble (``alpha``, ``beta``) have
    no place here. In training the head sees the features without giving them a gradient; CLIP's image tower learns from
    the names of the masks (mask-aware loss) and is held near a frozen copy of itself (representation compensation).

    Args:
        backbone: config of the backbone, with ``frozen=False`` for training.
        transfer: options of ``ContentDependentTransfer``: ``mode``, ``num_heads``.
        tuned: patterns of the names of the backbone's parameters that learn; the others stay frozen. Default: a
            ConvNeXt without its last norm and its projection. Their rate of learning is the optimizer's business
            (``paramwise_cfg``).
        teacher: config of the frozen copy; None for the backbone's own config, which must then name its weights. It is
            built at the first loss and is no part of a checkpoint.
        ranking_weight: weight of the mask-aware loss.
        compensation_weight: weight of the representation compensation.
        official_quirks: pools the compensation loss in windows of the width as the code of MAFT+ does, see
            ``pooled_descriptors``.
        ensemble: None; it stands here so that a config can take FC-CLIP's away.
        options: those of ``OpenVocabMaskFormer``.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        transfer: dict | None = None,
        tuned: Sequence[str] = TUNED,
        teacher: dict | None = None,
        ranking_weight: float = 1.0,
        compensation_weight: float = 0.1,
        official_quirks: bool = False,
        region_classifier: dict | None = None,
        ensemble: None = None,
        **options,
    ) -> None:
        if ensemble is not None:
            raise ValueError(
                f"MAFT+ names proposals by its tuned CLIP alone: leave ensemble (alpha, beta) out, got {ensemble}"
            )
        super().__init__(
            backbone=backbone,
            region_classifier=region_classifier or dict(type="CLIPMaskPooling"),
            ensemble=dict(type="SeenUnseenEnsemble", alpha=1.0, beta=1.0),
            **options,
        )
        self.transfer = ContentDependentTransfer(self.backbone.embed_dim, **(transfer or {}))
        self.ranking_weight, self.compensation_weight = ranking_weight, compensation_weight
        self.official_quirks = official_quirks
        self._teacher = Teacher(backbone=teacher or backbone)
        self._tune(tuned)

    def _tune(self, patterns: Sequence[str]) -> None:
        """Leaves gradients to the backbone's parameters whose names begin with a pattern."""
        count = 0
        for name, parameter in self.backbone.named_parameters():
            learns = not self.backbone.frozen and any(re.match(pattern, name) for pattern in patterns)
            parameter.requires_grad_(learns)
            count += learns
        if not count and not self.backbone.frozen:
            raise ValueError(
                f"no parameter of {type(self.backbone).__name__} begins with one of {list(patterns)}: set tuned"
            )

    def region_logits(self, regions: Tensor, features: DenseFeatures) -> Tensor:
        """Logits (B,Q,K) of CLIP's embeddings (B,Q,C) with the text of each picture.

        Args:
            features: of the same pictures.
        """
        classes = self.class_embeddings
        return class_logits(
            regions,
            self.transfer(features.dense, classes.rows),
            classes.class_index,
            classes.num_classes,
            scale=self.region_classifier.scale,
            normalize_rows=False,
        )

    def class_probabilities(self, proposals: MaskProposals, features: DenseFeatures) -> Tensor:
        """(B,Q,K+1) of proposals with the present vocabulary, void last."""
        first = self.mask_head.classify(proposals.embeddings)
        second = self.region_logits(proposals.regions, features)
        return self.ensemble(first, second, self.seen().to(first.device), proposals.usable)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """mmdet's losses of the mask head, ``loss_ranking`` and ``loss_compensation``."""
        self._hand_on_classes()
        head, features = self.mask_head, self.extract_feat(batch_inputs)
        logits, masks = head([maps.detach() for maps in self.stage_maps(features)], batch_data_samples)
        targets = head.preprocess_gt(
            [_instances(sample, batch_inputs) for sample in batch_data_samples],
            [sample.get("gt_sem_seg") for sample in batch_data_samples],
        )
        losses = head.loss_by_feat(logits, masks, targets, [sample.metainfo for sample in batch_data_samples])
        proposals = self.look_at_regions(MaskProposals(masks[-1].detach()), features, batch_inputs)
        labels, truth = [one.labels for one in targets], [one.masks for one in targets]
        ranking = mask_ranking_loss(self.region_logits(proposals.regions, features), masks[-1], labels, truth)
        losses["loss_ranking"] = self.ranking_weight * ranking
        if self.compensation_weight and not self.backbone.frozen:
            teacher = last_map(self._teacher.features(batch_inputs, self.backbone))
            compensation = compensation_loss(last_map(features), teacher, official_quirks=self.official_quirks)
            losses["loss_compensation"] = self.compensation_weight * compensation
        return losses


def last_map(features: DenseFeatures) -> Tensor:
    """The backbone's last stage before CLIP's head; for a backbone of one scale its dense map."""
    return features.maps[-1] if features.maps else features.dense


def _instances(sample, images: Tensor) -> InstanceData:
    """The sample's instances; none for a sample that has only a semantic map."""
    if "gt_instances" in sample and "labels" in sample.gt_instances:
        return sample.gt_instances
    return InstanceData(labels=torch.zeros(0, dtype=torch.long, device=images.device))
