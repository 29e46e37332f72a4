"""The open-vocabulary detector: proposals, their text similarity, and NMS; encode once, prompt many.

Shapes: B images of one size, R proposals, K classes, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmcv.ops import batched_nms
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.nesting import best_of_each_class, drop_nested, shared_area
from ovdense.functional.region_pooling import clip_boxes, resize_masks
from ovdense.models.detectors.image_statistics import fill_statistics
from ovdense.models.detectors.proposals import ProposalGenerator, given_instances
from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures, SegmentMasks

DEFAULT_TEST_CFG = dict(
    score_thr=0.05,
    nms=dict(type="nms", iou_threshold=0.5),
    max_per_img=100,
    nms_pre=2000,
    max_shared=1.0,
    max_shared_other=1.0,
    max_per_class=None,
)
NESTING_LIMIT = 1000  # detections that are compared pair by pair


@dataclass
class EncodedRegions:
    """What ``encode`` keeps of a batch: everything that does not depend on the vocabulary."""

    features: DenseFeatures
    proposals: list[InstanceData]
    images: Tensor
    metainfos: list[dict]

    def __len__(self) -> int:
        return len(self.proposals)


@MODELS.register_module()
class OpenVocabDetector(OpenVocabularyMixin, BaseDetector):
    """Backbone + proposals + region-text head + vocabulary as an mmdet detector.

    Args:
        backbone: config of a backbone of ``ovdense.models.backbones``.
        proposals: config of a proposal generator: ``SegmentProposals``, ``TinyProposalNet``, ``RPNProposals``,
            ``GivenProposals``.
        roi_head: config of a region head, ``RegionTextHead``.
        text_encoder: config of the text encoder that goes with the backbone.
        vocabulary: names to look for, in any form that ``load_vocabulary`` takes; ``set_vocabulary`` changes it.
        class_embeddings: ready rows instead of a text encoder: (K, C) tensor, file, or ``ClassEmbeddings``.
        data_preprocessor: mmdet's; a missing mean and std are the backbone's.
        train_cfg: unused, for mm's sake.
        test_cfg: ``score_thr``, ``nms`` (of mmcv's ``batched_nms``, class-wise unless it says ``class_agnostic``; None
            for none), ``max_per_img``, ``nms_pre`` (best (region, class) pairs that enter NMS), ``max_shared`` (share
            of the smaller of two regions of a class that may lie in the other; 1 keeps nested regions),
            ``max_shared_other`` (the same for regions of different classes), ``max_per_class`` (None for no limit).
    """

    def __init__(
        self,
        *,
        backbone: dict,
        proposals: dict,
        roi_head: dict | None = None,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings=None,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone = MODELS.build(backbone)
        super().__init__(data_preprocessor=fill_statistics(data_preprocessor, backbone), init_cfg=init_cfg)
        self.backbone = backbone
        self.proposals = MODELS.build(proposals)
        self.roi_head = MODELS.build(roi_head or dict(type="RegionTextHead"))
        self.train_cfg = train_cfg
        self.test_cfg = {**DEFAULT_TEST_CFG, **(test_cfg or {})}
        unknown = sorted(set(self.test_cfg) - set(DEFAULT_TEST_CFG))
        if unknown:
            raise ValueError(f"test_cfg of a detector has {sorted(DEFAULT_TEST_CFG)}, got {unknown}")
        self._init_vocabulary(
            text_encoder=text_encoder,
            vocabulary=vocabulary,
            class_embeddings=class_embeddings,
            space=backbone.space,
            embed_dim=backbone.embed_dim,
        )

    def extract_feat(self, batch_inputs: Tensor) -> DenseFeatures:
        """Features of normalised images (B,3,H,W)."""
        return self.backbone(batch_inputs)

    @torch.no_grad()
    def encode(
        self, images: Tensor, metainfos: Sequence[dict] | None = None, proposals: Sequence | None = None
    ) -> EncodedRegions:
        """Features and proposals of normalised images (B,3,H,W).

        Args:
            metainfos: mm metainfo of each image; without it results are of the input's size.
            proposals: for each image boxes (R,4), masks (R,H,W) or InstanceData in pixels of the original picture,
                instead of the generator's; None for an image leaves it to the generator.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"encode takes a batch of images (B, 3, H, W), got {tuple(images.shape)}")
        metainfos = [{} for _ in images] if metainfos is None else [dict(meta) for meta in metainfos]
        proposals = [None] * len(images) if proposals is None else list(proposals)
        if not len(images) == len(metainfos) == len(proposals):
            raise ValueError(
                f"got {len(images)} images but {len(metainfos)} metainfos and {len(proposals)} sets of proposals"
            )
        features = self.extract_feat(images)
        given = [meta.get("proposals") if one is None else one for meta, one in zip(metainfos, proposals)]
        if all(one is not None for one in given):
            found = [given_instances(one, meta, images) for one, meta in zip(given, metainfos)]
        else:
            found = self._propose(images, features, metainfos)
            for index, one in enumerate(given):
                if one is not None:
                    found[index] = given_instances(one, metainfos[index], images)
        for one, meta in zip(found, metainfos):
            one.bboxes = clip_boxes(one.bboxes, tuple(meta.get("img_shape", images.shape[-2:]))[:2])
        return EncodedRegions(features, found, images, metainfos)

    def _propose(self, images: Tensor, features: DenseFeatures, metainfos: list[dict]) -> list[InstanceData]:
        images = self._for_generator(images)
        if isinstance(self.proposals, ProposalGenerator):
            return self.proposals(images, features, metainfos)
        return self.proposals(images)

    def _for_generator(self, images: Tensor) -> Tensor:
        """Images normalised as the proposal generator wants them."""
        own, wanted = self.backbone, self.proposals
        if not hasattr(wanted, "image_mean"):
            return images
        mean, std, new_mean, new_std = (
            images.new_tensor(value).view(3, 1, 1)
            for value in (own.image_mean, own.image_std, wanted.image_mean, wanted.image_std)
        )
        return (images * std + mean - new_mean) / new_std

    @torch.no_grad()
    def decode(self, encoded: EncodedRegions, data_samples: list | None = None) -> list[DetDataSample]:
        """Detections of an encoded batch with the present vocabulary.

        Each sample gets ``pred_instances`` with ``bboxes`` (N,4) xyxy in pixels of the original picture, ``scores``
        (N,) falling, ``labels`` (N,), and ``masks`` (N,H,W) bool where the proposals have masks.
        """
        if data_samples is None:
            data_samples = [DetDataSample(metainfo=_without_proposals(meta)) for meta in encoded.metainfos]
        embeddings = self.class_embeddings
        for index, sample in enumerate(data_samples):
            sample.pred_instances = self._decode_one(encoded, index, embeddings)
        return data_samples

    def _decode_one(self, encoded: EncodedRegions, index: int, embeddings: ClassEmbeddings) -> InstanceData:
        features, image, meta = encoded.features[index], encoded.images[index], encoded.metainfos[index]
        proposals = encoded.proposals[index]
        height, width = tuple(meta.get("img_shape", image.shape[1:]))[:2]
        scores = self.roi_head(features, proposals, embeddings, image[:, :height, :width], self.backbone)
        found = self._select(proposals, scores)
        return _to_original(found, meta, (height, width))

    def _select(self, proposals: InstanceData, scores: Tensor) -> InstanceData:
        """Threshold, class-wise NMS and the best ``max_per_img`` of scores (R,K)."""
        settings = self.test_cfg
        region, label = (scores > settings["score_thr"]).nonzero(as_tuple=True)
        values = scores[region, label]
        if len(values) > settings["nms_pre"]:
            values, order = values.topk(settings["nms_pre"])
            region, label = region[order], label[order]
        boxes = proposals.bboxes[region].to(values.dtype)
        if len(values):
            dets, keep = batched_nms(boxes, values, label, settings["nms"])
            region, label, boxes, values = region[keep], label[keep], boxes[keep], dets[:, -1]
        result = InstanceData(bboxes=boxes, scores=values, labels=label)
        if "masks" in proposals:
            result.masks = proposals.masks[region]
        if min(settings["max_shared"], settings["max_shared_other"]) < 1:
            result = result[:NESTING_LIMIT]
            masks = result.get("masks")
            shared = masks.shared_area() if isinstance(masks, SegmentMasks) else shared_area(result.bboxes)
            limits = settings["max_shared"], settings["max_shared_other"]
            result = result[drop_nested(shared, result.labels, *limits)]
        if settings["max_per_class"] is not None:
            result = result[best_of_each_class(result.labels, settings["max_per_class"])]
        return result[: settings["max_per_img"]]

    def predict(self, batch_inputs: Tensor, batch_data_samples: list, rescale: bool = True) -> list[DetDataSample]:
        """Detections of normalised images (B,3,H,W); proposals of the data samples are used where there are some."""
        metainfos = [sample.metainfo for sample in batch_data_samples]
        if not rescale:
            metainfos = [{**meta, "ori_shape": meta["img_shape"], "scale_factor": (1.0, 1.0)} for meta in metainfos]
        given = [_given_by_sample(sample) for sample in batch_data_samples]
        return self.decode(self.encode(batch_inputs, metainfos, given), batch_data_samples)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of a proposal generator that learns."""
        if not hasattr(self.proposals, "loss"):
            raise TypeError(
                "a detector is trained through its proposal generator, TinyProposalNet or RPNProposals, got "
                f"{type(self.proposals).__name__}, which has nothing to learn"
            )
        if isinstance(self.proposals, ProposalGenerator):
            return self.proposals.loss(self.extract_feat(batch_inputs), batch_data_samples)
        return self.proposals.loss(self._for_generator(batch_inputs), batch_data_samples)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list | None = None) -> tuple[DenseFeatures, list]:
        """Features and proposals, without names."""
        metainfos = None if batch_data_samples is None else [sample.metainfo for sample in batch_data_samples]
        encoded = self.encode(batch_inputs, metainfos)
        return encoded.features, encoded.proposals


def _given_by_sample(sample: DetDataSample):
    """mmdet's ``proposals`` of a data sample, which are in pixels of the network's input, brought to the original."""
    proposals = sample.get("proposals")
    if proposals is None:
        return None
    scale = torch.as_tensor(sample.metainfo.get("scale_factor", (1.0, 1.0)), dtype=torch.float32).repeat(2)
    boxes = getattr(proposals.bboxes, "tensor", proposals.bboxes)
    original = InstanceData(bboxes=boxes / scale.to(boxes))
    if "scores" in proposals:
        original.scores = proposals.scores
    return original


def _to_original(found: InstanceData, meta: dict, img_shape: tuple[int, int]) -> InstanceData:
    """Boxes and masks of the network's input at the size of the original picture."""
    size = tuple(meta.get("ori_shape", img_shape))[:2]
    scale = found.bboxes.new_tensor(meta.get("scale_factor", (1.0, 1.0))).repeat(2)
    found.bboxes = clip_boxes(found.bboxes / scale, size)
    if "masks" in found:
        masks = found.masks
        if isinstance(masks, SegmentMasks):
            found.masks = masks.resize(size)
        else:
            found.masks = resize_masks(masks[:, : img_shape[0], : img_shape[1]], size)
    return found


def _without_proposals(meta: dict) -> dict:
    return {name: value for name, value in meta.items() if name != "proposals"}
