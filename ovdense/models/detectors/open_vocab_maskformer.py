"""The mask-proposal classifier: propose masks, name each, and answer semantic, panoptic and instance questions at once.

Shapes: B images, Q proposals, K classes (void is column K), C channels of the text space, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from ovdense.functional.mask_classification import class_logits, seen_classes
from ovdense.functional.mask_postprocess import (
    ResizedMasks,
    panoptic_labels,
    panoptic_segments,
    semantic_labels,
    top_instances,
)
from ovdense.models.detectors.image_statistics import fill_statistics
from ovdense.models.open_vocabulary import OpenVocabularyMixin, parse_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, MaskProposals

DEFAULT_TEST_CFG = dict(
    semantic_on=True,
    panoptic_on=True,
    instance_on=True,
    object_mask_thr=0.0,
    iou_thr=0.8,
    max_per_img=100,
)


@dataclass
class EncodedMasks:
    """What ``encode`` keeps of a batch, picture by picture: everything that does not depend on the vocabulary.

    Args:
        features: of each picture, padded to whole cells by itself (batch dimension 1).
        proposals: of each picture; None for a head that needs the names first.
        images: each normalised picture (1,3,H,W), padded.
        metainfos: mm metainfo of each picture.
    """

    features: list[DenseFeatures]
    proposals: list[MaskProposals | None]
    images: list[Tensor]
    metainfos: list[dict]

    def __len__(self) -> int:
        return len(self.features)


@MODELS.register_module()
class OpenVocabMaskFormer(OpenVocabularyMixin, BaseDetector):
    """Backbone + mask head + text + the frozen CLIP's own view of each mask, as an mmdet detector.

    A picture gives the same results alone and in a batch: at test time each is padded by itself. Where the vocabulary
    has a group ``thing`` or ``stuff``, that says which classes are countable; without either all classes are.

    What a method brings: ``mask_head`` (a ``TextClassifierMixin``), ``region_classifier`` (``CLIPMaskPooling``),
    ``ensemble`` (``SeenUnseenEnsemble``).

    Args:
        backbone: config of a backbone whose features have ``maps``, or, with a neck, any.
        mask_head: config of the head; ``train_cfg`` and ``test_cfg`` are handed on to it.
        neck: config of a module DenseFeatures -> stage maps, ``SimpleFeaturePyramid``; None takes ``features.maps``.
        region_classifier: config of the out-of-vocabulary branch; None for the head's classes alone.
        ensemble: config of how the two classifiers agree; needed with a ``region_classifier``.
        trained_on: vocabulary that the head was trained with, which tells seen from unseen classes; None for that of
            the checkpoint, and without one for the vocabulary of the config.
        text_encoder, vocabulary, class_embeddings: see ``OpenVocabularyMixin``.
        data_preprocessor: mmdet's; a missing mean and std are the backbone's.
        size_divisor: pixels that the sides are padded to multiples of.
        train_cfg: mmdet's for its mask heads (assigner, sampler, numbers of points).
        test_cfg: ``semantic_on``, ``panoptic_on``, ``instance_on``; ``object_mask_thr`` (a proposal of a lower score
            stays out of the panoptic map), ``iou_thr`` (share of a mask that must be left in it), ``max_per_img``
            (pairs of proposal and class that may become instances).
    """

    def __init__(
        self,
        *,
        backbone: dict,
        mask_head: dict,
        neck: dict | None = None,
        region_classifier: dict | None = None,
        ensemble: dict | None = None,
        trained_on=None,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings=None,
        data_preprocessor: dict | None = None,
        size_divisor: int = 32,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone = MODELS.build(backbone)
        super().__init__(data_preprocessor=fill_statistics(data_preprocessor, backbone), init_cfg=init_cfg)
        self.backbone, self.size_divisor = backbone, size_divisor
        self.neck = None if neck is None else MODELS.build(neck)
        self.mask_head = MODELS.build({"embed_dim": backbone.embed_dim, **mask_head, "train_cfg": train_cfg})
        if (region_classifier is None) != (ensemble is None):
            raise ValueError(
                "region_classifier and ensemble go together: the frozen CLIP's view of each mask, and how much it "
                f"counts; got region_classifier={region_classifier} and ensemble={ensemble}"
            )
        self.region_classifier = None if region_classifier is None else MODELS.build(region_classifier)
        self.ensemble = None if ensemble is None else MODELS.build(ensemble)
        if self.region_classifier is not None:
            self.region_classifier.attach(backbone)
        self.train_cfg, self.test_cfg = train_cfg, {**DEFAULT_TEST_CFG, **(test_cfg or {})}
        unknown = sorted(set(self.test_cfg) - set(DEFAULT_TEST_CFG))
        if unknown:
            raise ValueError(f"test_cfg of a mask classifier has {sorted(DEFAULT_TEST_CFG)}, got {unknown}")
        self._init_vocabulary(
            text_encoder=text_encoder,
            vocabulary=vocabulary,
            class_embeddings=class_embeddings,
            space=backbone.space,
            embed_dim=backbone.embed_dim,
        )
        self._trained_on = self._vocabulary if trained_on is None else parse_vocabulary(trained_on)
        self._states_training = trained_on is not None

    # What the vocabulary says

    def things(self) -> Tensor:
        """(K,) bool, which classes are countable."""
        groups, count = self.vocabulary.groups, self.vocabulary.num_classes
        things = torch.ones(count, dtype=torch.bool)
        if groups.get("thing"):
            things[:] = False
            things[list(groups["thing"])] = True
        elif groups.get("stuff"):
            things[list(groups["stuff"])] = False
        return things

    def seen(self) -> Tensor:
        """(K,) bool, which classes share a phrase with the training vocabulary; none where that is not known."""
        trained = self._trained_on
        if self._trained_vocabulary is not None and not self._states_training:
            trained = self._trained_vocabulary
        if trained is None:
            return torch.zeros(self.vocabulary.num_classes, dtype=torch.bool)
        return seen_classes(self.vocabulary.phrases, trained.phrases)

    def _hand_on_classes(self) -> None:
        embeddings = self.class_embeddings
        if getattr(self.mask_head, "_classes", None) is not embeddings:
            self.mask_head.set_classes(embeddings, self.things())

    # Pictures

    def extract_feat(self, batch_inputs: Tensor) -> DenseFeatures:
        """Features of normalised images (B,3,H,W)."""
        return self.backbone(batch_inputs)

    def stage_maps(self, features: DenseFeatures) -> tuple[Tensor, ...]:
        """What the mask head takes, finest first."""
        maps = features.maps if self.neck is None else self.neck(features)
        if not maps:
            raise ValueError(
                f"{type(self.backbone).__name__} has a single scale: give the model "
                "neck=dict(type='SimpleFeaturePyramid', ...) or a backbone with stage maps"
            )
        return maps

    @torch.no_grad()
    def encode(self, images: Tensor, metainfos: Sequence[dict] | None = None) -> EncodedMasks:
        """Features and proposals of normalised images (B,3,H,W), which may be padded right and below.

        Args:
            metainfos: mm metainfo of each image; without it results are of the input's size.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"encode takes a batch of images (B, 3, H, W), got {tuple(images.shape)}")
        metainfos = [{} for _ in images] if metainfos is None else [dict(meta) for meta in metainfos]
        if len(metainfos) != len(images):
            raise ValueError(f"got {len(images)} images but {len(metainfos)} metainfos")
        metainfos = [{"img_shape": tuple(images.shape[-2:]), **meta} for meta in metainfos]
        padded = [self._own_input(image, meta) for image, meta in zip(images, metainfos)]
        encoded = EncodedMasks([None] * len(padded), [None] * len(padded), padded, metainfos)
        sizes = [tuple(image.shape[-2:]) for image in padded]
        for size in dict.fromkeys(sizes):
            members = [index for index, own in enumerate(sizes) if own == size]
            batch = torch.cat([padded[index] for index in members])
            features = self.extract_feat(batch)
            proposals = self.propose(features, batch) if self.mask_head.text_free else None
            for place, index in enumerate(members):
                encoded.features[index] = features[place]
                encoded.proposals[index] = None if proposals is None else proposals[place]
        return encoded

    def propose(self, features: DenseFeatures, images: Tensor) -> MaskProposals:
        """Masks of a batch, embedded by the head and by the frozen CLIP.

        Args:
            images: the normalised input (B,3,H,W) of the features.
        """
        samples = [DetDataSample(metainfo=_full_meta(images)) for _ in images]
        proposals = self.mask_head.propose(self.stage_maps(features), samples)
        return self.look_at_regions(proposals, features, images)

    def look_at_regions(self, proposals: MaskProposals, features: DenseFeatures, images: Tensor) -> MaskProposals:
        """The proposals with what the frozen CLIP says of them."""
        if self.region_classifier is not None:
            proposals.regions, proposals.usable = self.region_classifier(
                features, proposals.mask_logits, self.backbone, images
            )
        return proposals

    def _own_input(self, image: Tensor, meta: dict) -> Tensor:
        """The picture (1,3,h,w), padded to whole cells by itself and not to the size of its batch."""
        height, width = tuple(meta["img_shape"])[:2]
        image = image[None, :, :height, :width]
        add_y, add_x = -height % self.size_divisor, -width % self.size_divisor
        return F.pad(image, (0, add_x, 0, add_y))

    # Names

    @torch.no_grad()
    def decode(self, encoded: EncodedMasks, data_samples: list | None = None) -> list:
        """Results of an encoded batch with the present vocabulary, at the size of each original picture.

        Each sample gets, as ``test_cfg`` says, ``pred_sem_seg`` ((1,H,W) int64 classes, as mmdet's ``sem_seg`` and
        mmseg's ``data``), ``pred_panoptic_seg.sem_seg`` ((1,H,W) int64, class + 1000 * instance, K is void) and
        ``pred_instances`` of things (``scores``, ``labels``, ``masks`` (N,H,W) bool, ``bboxes`` xyxy).
        """
        if data_samples is None:
            data_samples = [DetDataSample(metainfo=meta) for meta in encoded.metainfos]
        for index, sample in enumerate(data_samples):
            proposals, probabilities = self.classify(encoded, index)
            masks = self._masks_of(proposals, encoded, index)
            self._answer(sample, probabilities, masks)
        return data_samples

    @torch.no_grad()
    def classify(self, encoded: EncodedMasks, index: int) -> tuple[MaskProposals, Tensor]:
        """The proposals of one picture and their class probabilities (Q,K+1), void last."""
        self._hand_on_classes()
        proposals = encoded.proposals[index]
        if proposals is None:
            proposals = self.propose(encoded.features[index], encoded.images[index])
        return proposals, self.class_probabilities(proposals, encoded.features[index])[0]

    def class_probabilities(self, proposals: MaskProposals, features: DenseFeatures) -> Tensor:
        """(B,Q,K+1) of proposals with the present vocabulary, void last."""
        first = self.mask_head.classify(proposals.embeddings)
        if self.region_classifier is None:
            return first.float().softmax(dim=-1)
        second = self.region_logits(proposals.regions)
        return self.ensemble(first, second, self.seen().to(first.device), proposals.usable)

    def region_logits(self, regions: Tensor) -> Tensor:
        """Logits (B,Q,K) of the frozen CLIP's embeddings (B,Q,C)."""
        classes = self.class_embeddings
        scale = self.region_classifier.scale
        return class_logits(regions, classes.rows, classes.class_index, classes.num_classes, scale=scale)

    def _masks_of(self, proposals: MaskProposals, encoded: EncodedMasks, index: int) -> ResizedMasks:
        """The masks of one picture at its original size."""
        meta = encoded.metainfos[index]
        valid = tuple(meta["img_shape"])[:2]
        direction = (meta.get("flip_direction") or "horizontal") if meta.get("flip") else ""
        return ResizedMasks.resize(
            proposals.mask_logits[0],
            padded=tuple(encoded.images[index].shape[-2:]),
            valid=valid,
            size=tuple(meta.get("ori_shape", valid))[:2],
            flip=(direction in ("vertical", "diagonal"), direction in ("horizontal", "diagonal")),
        )

    def _answer(self, sample, probabilities: Tensor, masks: ResizedMasks) -> None:
        settings, things = self.test_cfg, self.things().to(probabilities.device)
        classes = probabilities[:, : len(things)]
        if settings["semantic_on"]:
            labels = semantic_labels(classes, masks)[None]
            sample.pred_sem_seg = PixelData(sem_seg=labels, data=labels)
        if settings["panoptic_on"]:
            thresholds = dict(score_thr=settings["object_mask_thr"], overlap_thr=settings["iou_thr"])
            segments = panoptic_segments(probabilities, masks, things, **thresholds)
            sample.pred_panoptic_seg = PixelData(sem_seg=panoptic_labels(*segments, len(things))[None])
        if settings["instance_on"]:
            found = top_instances(classes, masks, things, max_per_img=settings["max_per_img"])
            found = InstanceData(bboxes=found.boxes, scores=found.scores, labels=found.labels, masks=found.masks)
            sample.pred_instances = found[found.bboxes[:, 2] > found.bboxes[:, 0]]  # no pixel, no instance

    @torch.no_grad()
    def name_masks(
        self, images: Tensor, masks: Sequence[Tensor], metainfos: Sequence[dict] | None = None
    ) -> list[Tensor]:
        """Probabilities of the classes for masks that something else made, by the frozen CLIP alone.

        Args:
            images: normalised (B,3,H,W).
            masks: for each image (Q,h,w) bool of its ``img_shape``'s part, in any resolution.

        Returns:
            For each image (Q,K).
        """
        if self.region_classifier is None:
            raise ValueError("naming given masks takes the frozen CLIP: build the model with a region_classifier")
        metainfos = [{} for _ in images] if metainfos is None else metainfos
        results = []
        for image, own, meta in zip(images, masks, metainfos):
            meta = {"img_shape": tuple(images.shape[-2:]), **meta}
            padded = self._own_input(image, meta)
            logits = own.float()[None] * 2 - 1
            height, width = meta["img_shape"][:2]
            if tuple(own.shape[-2:]) != (height, width):
                logits = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
            size = padded.shape[-2:]
            logits = F.pad(logits, (0, size[1] - width, 0, size[0] - height), value=-1.0)
            proposals = self.look_at_regions(MaskProposals(logits), self.extract_feat(padded), padded)
            results.append(self.region_logits(proposals.regions)[0].float().softmax(dim=-1))
        return results

    # mm's interface

    def predict(self, batch_inputs: Tensor, batch_data_samples: list, rescale: bool = True) -> list:
        """Results of normalised images (B,3,H,W), at their original size or, without ``rescale``, the input's."""
        metainfos = [sample.metainfo for sample in batch_data_samples]
        if not rescale:
            metainfos = [{**meta, "ori_shape": meta["img_shape"], "flip": False} for meta in metainfos]
        return self.decode(self.encode(batch_inputs, metainfos), batch_data_samples)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """mmdet's losses of the mask head; the backbone and the text are frozen."""
        self._hand_on_classes()
        return self.mask_head.loss(self.stage_maps(self.extract_feat(batch_inputs)), batch_data_samples)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list | None = None) -> tuple[Tensor, Tensor]:
        """Mask logits (B,Q,h,w) and embeddings (B,Q,C) of the head, without names."""
        samples = batch_data_samples or [DetDataSample(metainfo=_full_meta(batch_inputs)) for _ in batch_inputs]
        proposals = self.mask_head.propose(self.stage_maps(self.extract_feat(batch_inputs)), samples)
        return proposals.mask_logits, proposals.embeddings


def _full_meta(images: Tensor) -> dict:
    size = tuple(images.shape[-2:])
    return dict(batch_input_shape=size, img_shape=size)
