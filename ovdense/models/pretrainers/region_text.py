"""RegionCLIP's region-text pretraining (arXiv 2112.09106): regions learn the concepts that a frozen copy sees in them.

Shapes: B pictures, R regions, K concepts, C channels of the text space.
"""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from torch import Tensor, nn

from ovdense.functional.region_pretraining import (
    concept_contrast,
    image_text_contrast,
    pseudo_labels,
    region_distillation,
)
from ovdense.models.detectors.image_statistics import fill_statistics, renormalise_images
from ovdense.models.detectors.proposals import ProposalGenerator
from ovdense.models.open_vocabulary import parse_vocabulary
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class RegionTextPretrainer(BaseModel):
    """Backbone and RoI extractor of a detector, trained on pictures, concepts and, where there are some, captions.

    The weights go to an ``OpenVocabTwoStageDetector`` of the same parts: ``backbone.*`` and ``roi_extractor.*`` (there
    ``roi_head.bbox_roi_extractor.*``; ``tools/model_converters/import_regionclip.py`` renames them).

    Args:
        backbone: config, ``CLIPResNetC4`` or any with dense features; it is the teacher as well, as it is built.
        roi_extractor: config, ``CLIPResNetTail`` or an extractor of mmdet, whose bins are averaged.
        proposals: config of a frozen proposal generator.
        text_encoder: config of the frozen text encoder.
        concepts: words that regions are named by, as ``load_vocabulary`` takes them; RegionCLIP takes 4764 nouns of
            COCO's captions or a pool of CC3M's.
        temperature: of the student's cosines.
        teacher_temperature: of the teacher's.
        threshold: regions count where the teacher's best probability exceeds it.
        max_regions: proposals drawn at random from each picture.
        weights: factors of the losses ``distill``, ``contrast`` and ``caption``.
        data_preprocessor: mmdet's; a missing mean and std are the backbone's.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        roi_extractor: dict,
        proposals: dict,
        text_encoder: dict,
        concepts,
        temperature: float = 0.01,
        teacher_temperature: float = 0.01,
        threshold: float = 0.1,
        max_regions: int = 100,
        weights: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        backbone = MODELS.build(backbone)
        super().__init__(data_preprocessor=fill_statistics(data_preprocessor, backbone), init_cfg=init_cfg)
        self.backbone = backbone
        self.roi_extractor = MODELS.build(ConfigDict({"_scope_": "mmdet", **roi_extractor}))
        if not any(value.requires_grad for value in self.parameters()):
            raise ValueError("nothing to learn: set frozen=False for the backbone or the roi_extractor")
        self.proposals = MODELS.build(proposals).requires_grad_(False)
        # Held outside the module tree: the teacher is what the config says, in every checkpoint.
        self._teacher = [deepcopy(nn.ModuleList([self.backbone, self.roi_extractor])).requires_grad_(False).eval()]
        self._text_encoder = MODELS.build(text_encoder)
        self._concepts, self._rows = parse_vocabulary(concepts), None
        self.temperature, self.teacher_temperature = temperature, teacher_temperature
        self.threshold, self.max_regions = threshold, max_regions
        self.weights = {"distill": 1.0, "contrast": 1.0, "caption": 1.0, **(weights or {})}

    def train(self, mode: bool = True) -> RegionTextPretrainer:
        """The proposal generator stays in evaluation mode."""
        super().train(mode)
        self.proposals.eval()
        return self

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = "tensor"):
        """``loss`` of normalised images (B,3,H,W); other modes give the embeddings (R,C) of their proposals."""
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if data_samples is None:
            raise ValueError("RegionTextPretrainer needs data samples with the pictures' metainfo, got none")
        rois = self.draw_regions(inputs, [sample.metainfo for sample in data_samples])
        return self.embed(self.backbone, self.roi_extractor, inputs, rois)

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """``loss_distill``, ``loss_contrast``, with captions in all metainfos ``loss_caption``, and how many regions
        the teacher was sure of (``kept``, a share)."""
        metas = [sample.metainfo for sample in data_samples]
        rois = self.draw_regions(inputs, metas)
        captions = [meta.get("caption") for meta in metas]
        count = len(rois)
        if with_captions := all(captions):
            whole = inputs.new_tensor([[0.0, 0.0, meta["img_shape"][1], meta["img_shape"][0]] for meta in metas])
            rois = torch.cat([rois, bbox2roi(list(whole[:, None]))])
        student = self.embed(self.backbone, self.roi_extractor, inputs, rois)
        teacher = self._teacher[0].to(inputs.device)
        with torch.no_grad():
            told = self.embed(*teacher, inputs, rois[:count])
        concepts = self.concept_rows().to(student)
        kept, targets, log_p = pseudo_labels(told, concepts, self.teacher_temperature, self.threshold)
        regions = student[:count][kept]
        losses = dict(
            loss_distill=region_distillation(regions, concepts, log_p, self.temperature) * self.weights["distill"],
            loss_contrast=concept_contrast(regions, concepts, targets, self.temperature) * self.weights["contrast"],
            kept=kept.float().mean() if count else student.new_zeros(()),
        )
        if with_captions:
            with torch.no_grad():
                texts = self._text_encoder.encode_captions(captions).to(student)
            contrast = image_text_contrast(student[count:], texts, self.temperature)
            losses["loss_caption"] = contrast * self.weights["caption"]
        return losses

    @torch.no_grad()
    def draw_regions(self, inputs: Tensor, metas: list[dict]) -> Tensor:
        """Rois (R,5): at most ``max_regions`` proposals of each picture, drawn at random."""
        images, features = inputs, None
        if hasattr(self.proposals, "image_mean"):
            images = renormalise_images(inputs, self.data_preprocessor, self.proposals)
        if isinstance(self.proposals, ProposalGenerator):
            found = self.proposals(images, features, metas)
        else:
            found = self.proposals(images)
        boxes = [get_box_tensor(one.bboxes) for one in found]
        return bbox2roi([one[torch.randperm(len(one), device=one.device)[: self.max_regions]] for one in boxes])

    @staticmethod
    def embed(backbone: nn.Module, extractor: nn.Module, images: Tensor, rois: Tensor) -> Tensor:
        """Region embeddings (R,C), not normalised."""
        features = backbone(images)
        maps = features
        if isinstance(features, DenseFeatures):
            maps = tuple(features.maps) or (features.dense,)
        regions = extractor(tuple(maps)[: extractor.num_inputs], rois)
        return regions.mean((2, 3)) if regions.ndim == 4 else regions

    def concept_rows(self) -> Tensor:
        """Unit rows (K,C) of the concepts, encoded once; of synonyms the mean."""
        if self._rows is None:
            with torch.inference_mode(False), torch.no_grad():
                encoded = self._text_encoder.encode(self._concepts)
                sums = torch.zeros(encoded.num_classes, encoded.embed_dim, device=encoded.rows.device)
                self._rows = F.normalize(sums.index_add_(0, encoded.class_index, encoded.rows), dim=1)
        return self._rows
