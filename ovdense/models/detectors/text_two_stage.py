"""mmdet's two-stage detector with an open vocabulary: the shell of RegionCLIP, F-ViT, ViLD, F-VLM and BARON.

Shapes: B images of one padded size, R proposals, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from mmdet.models.detectors import TwoStageDetector
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.models.detectors.image_statistics import fill_statistics, renormalise_images
from ovdense.models.detectors.proposals import ProposalGenerator
from ovdense.models.open_vocabulary import OpenVocabularyMixin
from ovdense.models.text_encoders import load_class_embeddings
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, Vocabulary

PROPOSALS = ("detector", "ground_truth")


@MODELS.register_module()
class OpenVocabTwoStageDetector(OpenVocabularyMixin, TwoStageDetector):
    """Backbone, proposals of its own RPN or of another network, and a RoI head with a text classifier.

    Inside ``neck``, ``rpn_head`` and ``roi_head`` plain type names are mmdet's, ours are ``ovdense.X``.

    Args:
        backbone: config of a backbone of ``ovdense.models.backbones``, or of mmdet.
        roi_head: config of ``ovdense.TextRoIHead`` or a relative.
        neck: config of a neck on the backbone's stage maps; None takes the maps themselves.
        rpn_head: config of an RPN head on the same maps; or
        proposals: config of a proposal generator (``OfflineRPN``, ``TinyProposalNet``, ``GivenProposals``, ...), which
            is not trained. Proposals of the data samples come before both.
        text_encoder: config of the text encoder that goes with the backbone.
        vocabulary: the classes, see ``load_vocabulary``; in the order of the dataset's labels.
        class_embeddings: ready rows instead of a text encoder.
        background_embedding: row (D,) of the word background, or a file of named rows that has one.
        data_preprocessor: mmdet's; a missing mean and std are the backbone's.
        train_cfg: ``rpn``, ``rpn_proposal``, ``rcnn`` of mmdet.
        test_cfg: ``rpn``, ``rcnn`` of mmdet, and ``proposals='ground_truth'``, which classifies the true boxes: load
            them before the pictures are resized.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        roi_head: dict,
        neck: dict | None = None,
        rpn_head: dict | None = None,
        proposals: dict | None = None,
        text_encoder: dict | None = None,
        vocabulary=None,
        class_embeddings=None,
        background_embedding=None,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone = MODELS.build(backbone)
        # mmdet's own constructor builds the backbone itself, but its statistics are wanted before.
        super(TwoStageDetector, self).__init__(
            data_preprocessor=fill_statistics(data_preprocessor, backbone), init_cfg=init_cfg
        )
        self.backbone = backbone
        self.train_cfg, self.test_cfg = ConfigDict(train_cfg or {}), ConfigDict(test_cfg or {})
        source = self.test_cfg.setdefault("proposals", "detector")
        if source not in PROPOSALS:
            raise ValueError(f"test_cfg.proposals must be one of {PROPOSALS}, got {source!r}")
        if rpn_head is not None and proposals is not None:
            raise ValueError("proposals come from rpn_head or from the generator in proposals, got both")
        if neck is not None:
            self.neck = _build_mmdet(neck)
        if rpn_head is not None:
            stages = dict(train_cfg=self.train_cfg.get("rpn"), test_cfg=self.test_cfg.get("rpn"), num_classes=1)
            self.rpn_head = _build_mmdet({**rpn_head, **stages})
        self.proposals = None
        if proposals is not None:
            self.proposals = MODELS.build(proposals).requires_grad_(False)
        self.roi_head = _build_mmdet(
            {**roi_head, "train_cfg": self.train_cfg.get("rcnn"), "test_cfg": self.test_cfg.get("rcnn")}
        )
        self._init_vocabulary(
            text_encoder=text_encoder,
            vocabulary=vocabulary,
            class_embeddings=class_embeddings,
            space=getattr(backbone, "space", None),
            embed_dim=getattr(backbone, "embed_dim", None),
        )
        self._background_source, self._background_row, self._placed = background_embedding, None, None

    def train(self, mode: bool = True) -> OpenVocabTwoStageDetector:
        """The proposal generator stays in evaluation mode."""
        super().train(mode)
        if self.proposals is not None:
            self.proposals.eval()
        return self

    def place_classes(self) -> None:
        """Puts the rows of the present vocabulary into the classifiers; once for each vocabulary and device."""
        embeddings = self.class_embeddings
        if embeddings is self._placed:
            return
        for module in self.roi_head.modules():
            if hasattr(module, "set_class_embeddings"):
                module.set_class_embeddings(embeddings, self._background(embeddings))
        self._placed = embeddings

    def _background(self, embeddings) -> Tensor | None:
        """Row (D,) of the word background, None where nothing gives it."""
        if self._background_row is None:
            if self._background_source is not None:
                source = self._background_source
                if not isinstance(source, Tensor) or source.ndim != 1:
                    source = load_class_embeddings(source, Vocabulary.parse(["background"])).rows[0]
                self._background_row = source
            elif self._text_encoder is not None and self._wants_background_word():
                with torch.inference_mode(False), torch.no_grad():
                    self._background_row = self._text_encoder.encode(Vocabulary.parse(["background"])).rows[0]
        return None if self._background_row is None else self._background_row.to(embeddings.rows)

    def _wants_background_word(self) -> bool:
        return any(getattr(module, "background", None) == "word" for module in self.roi_head.modules())

    def encode_images(self, batch_inputs: Tensor) -> tuple[DenseFeatures | None, tuple[Tensor, ...]]:
        """Features of normalised images (B,3,H,W), the maps for RPN and RoI head: stage maps, else the dense one."""
        features = self.backbone(batch_inputs)
        dense = isinstance(features, DenseFeatures)
        maps = (tuple(features.maps) or (features.dense,)) if dense else tuple(features)
        return features if dense else None, tuple(self.neck(maps)) if self.with_neck else maps

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        return self.encode_images(batch_inputs)[1]

    def region_maps(self, features: DenseFeatures | None, maps: tuple[Tensor, ...]) -> Sequence[Tensor]:
        """What the RoI head gets; a subclass appends maps for its score fusion."""
        return maps

    def propose(self, images: Tensor, features, maps: tuple[Tensor, ...], samples: Sequence) -> list[InstanceData]:
        """Proposals in pixels of the input: the samples' own, the true boxes, the generator's or the RPN's."""
        if self.test_cfg.proposals == "ground_truth" and not self.training:
            return [_true_boxes(sample) for sample in samples]
        if samples[0].get("proposals") is not None:
            return [sample.proposals for sample in samples]
        if self.proposals is not None:
            with torch.no_grad():
                return self._generate(images, features, [sample.metainfo for sample in samples])
        if not self.with_rpn:
            raise ValueError(
                "the detector has no proposals: give it rpn_head or proposals, or load them with the data "
                "(LoadProposals), got none"
            )
        return self.rpn_head.predict(maps, samples, rescale=False)

    def _generate(self, images: Tensor, features, metainfos: list[dict]) -> list[InstanceData]:
        if hasattr(self.proposals, "image_mean"):
            images = renormalise_images(images, self.data_preprocessor, self.proposals)
        if isinstance(self.proposals, ProposalGenerator):
            return self.proposals(images, features, metainfos)
        return self.proposals(images)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list) -> dict[str, Tensor]:
        """Losses of the RoI head, and of the RPN where it is the detector's own."""
        self.place_classes()
        features, maps = self.encode_images(batch_inputs)
        losses = {}
        if self.with_rpn and batch_data_samples[0].get("proposals") is None:
            samples = deepcopy(batch_data_samples)
            for sample in samples:
                sample.gt_instances.labels = torch.zeros_like(sample.gt_instances.labels)
            cfg = self.train_cfg.get("rpn_proposal", self.test_cfg.get("rpn"))
            found, proposals = self.rpn_head.loss_and_predict(maps, samples, proposal_cfg=cfg)
            losses.update({name if "rpn" in name else f"rpn_{name}": value for name, value in found.items()})
        else:
            proposals = self.propose(batch_inputs, features, maps, batch_data_samples)
            proposals = [InstanceData(bboxes=get_box_tensor(one.bboxes), scores=_scores(one)) for one in proposals]
        x = self.region_maps(features, maps)
        losses.update(self.extra_losses(batch_inputs, x, proposals, batch_data_samples))
        losses.update(self.roi_head.loss(x, proposals, batch_data_samples))
        return losses

    def extra_losses(
        self, images: Tensor, x: Sequence[Tensor], proposals: Sequence[InstanceData], samples: Sequence
    ) -> dict[str, Tensor]:
        """What a subclass learns besides, from normalised images, region maps and proposals in pixels of the input."""
        return {}

    def predict(self, batch_inputs: Tensor, batch_data_samples: list, rescale: bool = True) -> list:
        """Detections of normalised images (B,3,H,W) with the present vocabulary."""
        self.place_classes()
        features, maps = self.encode_images(batch_inputs)
        proposals = self.propose(batch_inputs, features, maps, batch_data_samples)
        x = self.region_maps(features, maps)
        results = self.roi_head.predict(x, proposals, batch_data_samples, rescale=rescale)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list | None = None) -> tuple:
        """Logits and box deltas of the proposals."""
        self.place_classes()
        features, maps = self.encode_images(batch_inputs)
        proposals = self.propose(batch_inputs, features, maps, batch_data_samples)
        return self.roi_head.forward(self.region_maps(features, maps), proposals, batch_data_samples)


def _build_mmdet(config: dict):
    """A module whose plain type names are mmdet's."""
    return MODELS.build(ConfigDict({"_scope_": "mmdet", **config}))


def _scores(proposals: InstanceData) -> Tensor:
    boxes = get_box_tensor(proposals.bboxes)
    return proposals.scores if "scores" in proposals else boxes.new_ones(len(boxes))


def _true_boxes(sample) -> InstanceData:
    boxes = get_box_tensor(sample.gt_instances.bboxes)
    return InstanceData(bboxes=boxes, scores=boxes.new_ones(len(boxes)))
