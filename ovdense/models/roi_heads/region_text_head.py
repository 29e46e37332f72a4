"""Names for regions: pooled dense features against the class rows, checked on crops if asked.

Shapes: R regions, S phrases, K classes, C channels, h x w patch grid, H x W input pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.functional.fusion import activate, calibrate_scores, geometric_mean, region_similarity
from ovdense.functional.region_pooling import (
    box_coverage,
    clip_boxes,
    crop_faded,
    crop_regions,
    grow_boxes,
    mask_coverage,
    pool_regions,
)
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, DenseFeatures, SegmentMasks

POOLS = ("box", "mask", "roi_align")


@MODELS.register_module()
class RegionTextHead(BaseModule):
    """Regions of one image -> class scores (R,K) in [0, 1]. Nothing to learn.

    Args:
        pool: ``box`` averages the cells under the box by their covered share, ``mask`` those under the proposal's mask,
            ``roi_align`` the ``roi_size`` x ``roi_size`` bins of RoIAlign.
        normalize_cells: unit-length patch features before pooling.
        similarity: ``cosine``, or ``posterior`` for embeddings that are distributions (the embedded model ``lite``).
        activation: ``softmax`` over the classes, ``sigmoid``, or ``none``.
        logit_scale: factor of the similarity; the CLIP family uses 100.
        logit_bias: added after the factor, for ``sigmoid`` (SigLIP).
        objectness_weight: share of the proposal's own score in the geometric mean.
        contrast_weight: share of the similarity of the surroundings (the grown box without the region) that is taken
            off the region's own, so that the background around an object is not named after it.
        contrast_context: the surroundings' box as a factor of the region's box.
        share_weight: exponent of the class's share of the similarities of all classes, which a score is multiplied
            with: a region that two classes claim belongs to neither. For ``activation='none'``.
        crop_weight: share of the crop's score in the geometric mean; 0 runs no crops.
        crop_size: pixels of the crops that the backbone sees.
        crop_context: crop side as a factor of the box's longer side.
        crop_fade: how far the crop's pixels outside the proposal's mask fade to the mean colour, in [0, 1].
        crop_top: most regions that are cropped, those with the best score first; the others keep half their score.
        crop_batch: crops in one pass of the backbone.
        calibration: ``midpoint`` and ``slope`` of the curve that ends the scoring (``calibrate_scores``), so that
            scores read as the share of boxes that are right; None leaves them as they are. The order stays.
    """

    def __init__(
        self,
        *,
        pool: str = "box",
        roi_size: int = 7,
        normalize_cells: bool = False,
        similarity: str = "cosine",
        activation: str = "softmax",
        logit_scale: float = 100.0,
        logit_bias: float = 0.0,
        objectness_weight: float = 0.0,
        contrast_weight: float = 0.0,
        contrast_context: float = 1.7,
        share_weight: float = 0.0,
        crop_weight: float = 0.0,
        crop_size: int = 224,
        crop_context: float = 1.15,
        crop_fade: float = 0.0,
        crop_top: int = 32,
        crop_batch: int = 16,
        calibration: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if pool not in POOLS:
            raise ValueError(f"pool must be one of {POOLS}, got {pool!r}")
        self.pool, self.roi_size, self.normalize_cells = pool, roi_size, normalize_cells
        self.similarity, self.activation = similarity, activation
        self.logit_scale, self.logit_bias = logit_scale, logit_bias
        self.objectness_weight, self.share_weight = objectness_weight, share_weight
        self.contrast_weight, self.contrast_context = contrast_weight, contrast_context
        self.crop_weight, self.crop_size, self.crop_context = crop_weight, crop_size, crop_context
        self.crop_fade, self.crop_top, self.crop_batch = crop_fade, crop_top, crop_batch
        self.calibration = calibration

    def forward(
        self,
        features: DenseFeatures,
        proposals: InstanceData,
        embeddings: ClassEmbeddings,
        image: Tensor | None = None,
        backbone=None,
    ) -> Tensor:
        """Scores (R,K) of the proposals of one image.

        Args:
            features: of one image (batch dimension 1).
            proposals: ``bboxes`` (R,4) xyxy in input pixels, ``scores`` (R,) and, for ``pool='mask'``, ``masks``.
            embeddings: the encoded vocabulary.
            image: (3,H,W) normalised, for crops.
            backbone: image backbone, for crops.
        """
        similarity = self.compare(self.region_embeddings(features, proposals), embeddings)
        share = similarity.clamp(min=0)
        share = share / share.sum(dim=1, keepdim=True).clamp(min=torch.finfo(share.dtype).tiny)
        if self.contrast_weight:
            around = self.region_embeddings(features, proposals, surroundings=True)
            similarity = similarity - self.contrast_weight * self.compare(around, embeddings)
        scores = self.probability(similarity)
        if self.share_weight:
            scores = scores * share**self.share_weight
        if self.objectness_weight and "scores" in proposals:
            scores = geometric_mean(scores, proposals.scores[:, None].clamp(0, 1), self.objectness_weight)
        if self.crop_weight and len(scores):
            scores = self._check_on_crops(scores, proposals, embeddings, image, backbone)
        if self.calibration is not None:
            scores = calibrate_scores(scores, **self.calibration)
        background = embeddings.vocabulary.background_index
        if background is not None:
            scores[:, background] = 0
        return scores

    def region_embeddings(self, features: DenseFeatures, proposals: InstanceData, surroundings: bool = False) -> Tensor:
        """Pooled features (R,C) of the proposals, or of what surrounds them; zero where nothing does."""
        dense = features.dense[0]
        if self.normalize_cells:
            dense = F.normalize(dense, dim=0)
        if self.pool == "roi_align" and not surroundings:
            return self._roi_align(dense, features, proposals.bboxes)
        grid, stride, origin = features.grid, features.stride, features.padding[:2]
        if self.pool in ("box", "roi_align"):
            coverage = box_coverage(proposals.bboxes.to(dense), grid, stride, origin)
        elif "masks" not in proposals:
            raise ValueError(
                "pool='mask' needs proposals with masks: use pool='box', or a generator that gives masks, got "
                f"{sorted(proposals.keys())}"
            )
        elif isinstance(proposals.masks, SegmentMasks):
            coverage = proposals.masks.coverage(grid, stride, origin).to(dense)
        else:
            coverage = mask_coverage(proposals.masks, grid, stride, origin).to(dense)
        if surroundings:
            boxes = clip_boxes(grow_boxes(proposals.bboxes.to(dense), self.contrast_context), features.image_size)
            coverage = (box_coverage(boxes, grid, stride, origin) - coverage).clamp(min=0)
        return pool_regions(dense, coverage)

    def compare(self, regions: Tensor, embeddings: ClassEmbeddings) -> Tensor:
        """Best phrase of every class, (R,C) -> (R,K)."""
        index = embeddings.class_index
        return region_similarity(regions, embeddings.rows, index, embeddings.num_classes, self.similarity)

    def probability(self, similarity: Tensor) -> Tensor:
        """(R,K) -> (R,K) in [0, 1]."""
        return activate(similarity, self.activation, self.logit_scale, self.logit_bias)

    def _roi_align(self, dense: Tensor, features: DenseFeatures, boxes: Tensor) -> Tensor:
        from mmcv.ops import roi_align

        left, top = features.padding[:2]
        rois = boxes.to(dense) + dense.new_tensor([left, top, left, top])
        rois = torch.cat([rois.new_zeros(len(rois), 1), rois], dim=1)
        return roi_align(dense[None], rois, self.roi_size, 1 / features.stride, 0, "avg", True).mean((2, 3))

    def _check_on_crops(self, scores: Tensor, proposals, embeddings, image: Tensor, backbone) -> Tensor:
        """Fuses the scores of the best regions with what the backbone says about their crops."""
        if image is None or backbone is None:
            raise ValueError("crop_weight needs the image and the backbone, got none")
        best = scores.amax(dim=1).topk(min(self.crop_top, len(scores))).indices
        squares = grow_boxes(proposals.bboxes[best], self.crop_context, square=True)
        if self.crop_fade:
            masks = proposals.masks[best][:, : image.shape[1], : image.shape[2]]
            crops = crop_faded(image, squares, masks, self.crop_size, self.crop_fade)
            parts = [backbone(part).global_embedding for part in crops.split(self.crop_batch)]
        else:
            parts = [
                backbone(crop_regions(image, part, self.crop_size)).global_embedding
                for part in squares.split(self.crop_batch)
            ]
        checked = self.probability(self.compare(torch.cat(parts), embeddings))
        fused = scores / 2
        fused[best] = geometric_mean(scores[best], checked, self.crop_weight)
        return fused
