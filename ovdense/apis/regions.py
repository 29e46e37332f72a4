"""Region naming: features and names of boxes or masks that are given, with any backbone.

Shapes: R regions, K classes, C channels of the text space, pictures (H, W). Boxes are xyxy in pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from ovdense.apis.detector import Detector
from ovdense.functional.fusion import region_similarity
from ovdense.functional.region_pooling import box_coverage, crop_regions, grow_boxes, mask_coverage, pool_regions
from ovdense.functional.region_prompts import blur_outside, box_masks, foveal_bias, outline_ellipse
from ovdense.models.detectors.proposals import given_instances
from ovdense.structures.palette import distinct_colors
from ovdense.visualization import draw_detections

PROMPTS = ("roi", "crop", "red-circle", "blur", "falip", "alpha")
RED = (1.0, 0.0, 0.0)


@dataclass
class RegionNames:
    """Names of regions, best first.

    Args:
        classes: K names.
        boxes: (R, 4) xyxy; those about the masks where masks were given.
        similarity: (R, K) similarity of every region with every class.
        scores: (R, K) shares that sum to 1 over the classes.
    """

    classes: tuple[str, ...]
    boxes: np.ndarray
    similarity: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def top(self, count: int = 1) -> list[list[tuple[str, float]]]:
        """(name, score) of the best classes of each region."""
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, :count]
        return [[(self.classes[k], float(row[k])) for k in best] for row, best in zip(self.scores, order)]

    def plot(self, image, **options) -> np.ndarray:
        """The picture (path, bytes, BGR array, PIL image) with every box and its best name, BGR (h, w, 3).

        ``options`` are those of :func:`ovdense.visualization.draw_detections`.
        """
        best = self.scores.argmax(axis=1) if len(self) else np.zeros(0, int)
        options = dict(classes=self.classes, palette=distinct_colors(len(self.classes))) | options
        return draw_detections(_picture(image), self.boxes, best, scores=self.scores.max(axis=1, initial=0), **options)


class RegionNamer:
    """Names given regions of pictures; a vocabulary of any length costs one matrix product.

    Args:
        detector: a Detector, whose backbone, text encoder and picture size are used; its proposals are not.
        prompt: how a region is shown to the backbone. ``roi`` pools the dense features under it (one pass a picture);
            ``crop`` encodes a square cut-out; ``red-circle`` and ``blur`` the whole picture with a red ellipse about
            the region, or blurred outside it; ``falip`` draws the class token's attention to it; ``alpha`` gives the
            region as the fourth channel of an Alpha-CLIP.
        context: side of a crop as a factor of the box's longer side.
        size: pixels of the side of what the image embedding is taken from; None for 224, or less for small models.
        batch: crops or prompted pictures in one pass.

    Example:
        >>> namer = RegionNamer.from_pretrained("lite")
        >>> namer.classify_regions("photo.jpg", boxes=[[10, 20, 200, 240]], vocabulary="lvis-1203").top(3)
    """

    def __init__(
        self,
        detector: Detector,
        *,
        prompt: str = "roi",
        context: float = 1.15,
        size: int | None = None,
        batch: int = 16,
    ) -> None:
        if prompt not in PROMPTS:
            raise ValueError(f"prompt is one of {', '.join(PROMPTS)}, got {prompt!r}")
        self.detector, self.prompt, self.context, self.batch = detector, prompt, context, batch
        self.size = size
        self.backbone = detector.model.backbone
        if prompt == "falip" and not hasattr(self.backbone, "biased_embeddings"):
            raise ValueError(
                f"prompt 'falip' needs a ViT with a class token, not {self.backbone.name}: take crop or red-circle"
            )
        if prompt == "alpha" and getattr(self.backbone, "alpha_conv", None) is None:
            raise ValueError(
                f"prompt 'alpha' needs the weights of an Alpha-CLIP (tools/model_converters/import_alpha_clip.py), "
                f"{self.backbone.name} has no alpha channel: take crop, red-circle or falip"
            )
        if prompt != "roi" and hasattr(self.backbone, "with_global"):
            self.backbone.with_global = True

    @classmethod
    def from_pretrained(
        cls, model: str = "lite", pretrained: str | None = None, *, device=None, **options
    ) -> RegionNamer:
        """Any model that ``Detector.from_pretrained`` takes; ``options`` are those of the class."""
        return cls(Detector.from_pretrained(model, pretrained, device=device), **options)

    @torch.no_grad()
    def extract_region_features(self, image, boxes=None, masks=None) -> Tensor:
        """Unit embeddings (R, C) of boxes (R, 4) or masks (R, H, W) of a picture (path, bytes, BGR array, PIL image).

        Raises:
            ValueError: neither or both given, another shape, boxes outside the picture or empty masks.
        """
        return self._embed(image, boxes, masks)[0]

    @torch.no_grad()
    def classify_regions(
        self, image, boxes=None, masks=None, vocabulary=None, *, negatives=None, **options
    ) -> RegionNames:
        """Scores of every class for every region.

        Args:
            vocabulary: words in any form that ``load_vocabulary`` takes, with its ``options``; None keeps the last.
            negatives: names whose mean similarity with a region is taken off its similarities (red circle, FALIP), so
                that a region which is like everything does not win when regions are compared for one name.
        """
        offset = 0.0
        embedded, found = self._embed(image, boxes, masks)
        if negatives is not None:
            self.detector.set_vocabulary(negatives)
            offset = self._similarity(embedded).mean(dim=1, keepdim=True)
        if vocabulary is not None:
            self.detector.set_vocabulary(vocabulary, **options)
        if self.detector.vocabulary is None:
            raise ValueError('no words yet: give vocabulary, such as "cat, dog" or "lvis-1203"')
        similarity = self._similarity(embedded)
        head = self.detector.model.roi_head
        if head.similarity == "cosine":
            scores = (head.logit_scale * similarity).softmax(dim=1)
        else:
            scores = similarity / similarity.sum(dim=1, keepdim=True).clamp(min=1e-12)
        words = tuple(self.detector.vocabulary.classes)
        return RegionNames(words, found, (similarity - offset).cpu().numpy(), scores.cpu().numpy())

    def _similarity(self, embedded: Tensor) -> Tensor:
        rows, head = self.detector.model.class_embeddings, self.detector.model.roi_head
        return region_similarity(embedded, rows.rows, rows.class_index, rows.num_classes, head.similarity)

    def _embed(self, image, boxes, masks) -> tuple[Tensor, np.ndarray]:
        if (boxes is None) == (masks is None):
            raise ValueError("give boxes (R, 4) or masks (R, H, W), one of them")
        data = self.detector._prepare(_picture(image), None)
        batch = self.detector.model.data_preprocessor(
            dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])
        )
        inputs, meta = batch["inputs"], batch["data_samples"][0].metainfo
        given = _checked(boxes, masks, tuple(meta["ori_shape"])[:2])
        regions = given_instances(given, meta, inputs)
        if not len(regions):
            return inputs.new_zeros((0, self.backbone.embed_dim)), np.zeros((0, 4), np.float32)
        height, width = tuple(meta["img_shape"])[:2]
        shown = inputs[:, :, :height, :width]
        embedded = self._pooled(inputs, regions) if self.prompt == "roi" else self._prompted(shown, regions)
        scale = regions.bboxes.new_tensor(meta.get("scale_factor", (1.0, 1.0))).repeat(2)
        posterior = self.detector.model.roi_head.similarity == "posterior"
        embedded = embedded if posterior else F.normalize(embedded, dim=1)
        return embedded, (regions.bboxes / scale).cpu().numpy()

    def _pooled(self, inputs: Tensor, regions: InstanceData) -> Tensor:
        features = self.backbone(inputs)
        where = (features.grid, features.stride, features.padding[:2])
        masks = regions.get("masks")
        coverage = box_coverage(regions.bboxes, *where) if masks is None else mask_coverage(masks, *where)
        return pool_regions(features.dense[0], coverage)

    def _prompted(self, image: Tensor, regions: InstanceData) -> Tensor:
        size = self.size or self._usual_size()
        boxes = regions.bboxes
        if self.prompt == "falip":
            squeezed = F.interpolate(image, (size, size), mode="bilinear", antialias=True)
            scale = boxes.new_tensor([size / image.shape[3], size / image.shape[2]]).repeat(2)
            grid = (size // self.backbone.stride, size // self.backbone.stride)
            bias = foveal_bias(boxes * scale, (size, size), grid)
            return self.backbone.biased_embeddings(squeezed, bias)
        parts = []
        for start in range(0, len(boxes), self.batch):
            some = slice(start, start + self.batch)
            masks = regions.masks[some, : image.shape[2], : image.shape[3]] if "masks" in regions else None
            if self.prompt == "alpha":
                parts.append(self._masked(image, boxes[some], masks, size))
                continue
            parts.append(self._embedding(self._shown(image[0], boxes[some], masks, size)))
        return torch.cat(parts)

    def _masked(self, image: Tensor, boxes: Tensor, masks: Tensor | None, size: int) -> Tensor:
        """Embeddings (R, C) of the whole picture with each region in the alpha channel."""
        masks = box_masks(boxes, tuple(image.shape[-2:])) if masks is None else masks
        alpha = F.interpolate(masks[:, None].float(), (size, size), mode="bilinear", antialias=True)
        pictures = F.interpolate(image, (size, size), mode="bilinear", antialias=True).expand(len(alpha), -1, -1, -1)
        return self.backbone(pictures, masks=alpha).global_embedding

    def _shown(self, image: Tensor, boxes: Tensor, masks: Tensor | None, size: int) -> Tensor:
        """Pictures (R, 3, size, size) of the regions."""
        if self.prompt == "crop":
            return crop_regions(image, grow_boxes(boxes, self.context, square=True), size)
        if self.prompt == "red-circle":
            mean, std = (image.new_tensor(value) for value in (self.backbone.image_mean, self.backbone.image_std))
            pictures = outline_ellipse(image, boxes, (image.new_tensor(RED) - mean) / std)
        else:
            pictures = blur_outside(image, boxes if masks is None else masks)
        return F.interpolate(pictures, (size, size), mode="bilinear", antialias=True)

    def _embedding(self, pictures: Tensor) -> Tensor:
        embedding = self.backbone(pictures).global_embedding
        if embedding is None:
            raise ValueError(f"{self.backbone.name} has no image embedding: use prompt='roi'")
        return embedding

    def _usual_size(self) -> int:
        size = getattr(getattr(self.backbone, "visual", None), "image_size", None) or 224
        return int(size[0] if isinstance(size, (tuple, list)) else size)


def extract_region_features(image, boxes=None, masks=None, *, model="lite", **options) -> Tensor:
    """Unit embeddings (R, C) of regions; ``model`` is a ``RegionNamer`` or what its ``from_pretrained`` takes."""
    return _namer(model, options).extract_region_features(image, boxes, masks)


def classify_regions(
    image, boxes=None, masks=None, vocabulary=None, *, model="lite", negatives=None, **options
) -> RegionNames:
    """Names of regions; ``model`` is a ``RegionNamer`` or what its ``from_pretrained`` takes, with its options."""
    namer = _namer(model, options)
    return namer.classify_regions(image, boxes, masks, vocabulary, negatives=negatives)


def _namer(model, options: dict) -> RegionNamer:
    return model if isinstance(model, RegionNamer) else RegionNamer.from_pretrained(model, **options)


def _picture(image) -> np.ndarray:
    from ovdense.datasets.transforms import read_image

    return read_image(image)


def _checked(boxes, masks, size: tuple[int, int]) -> np.ndarray:
    """Boxes (R, 4) float32 or masks (R, H, W) bool that fit the picture."""
    if masks is not None:
        array = np.asarray(masks)
        if array.ndim != 3 or tuple(array.shape[1:]) != size:
            raise ValueError(f"masks are (R, {size[0]}, {size[1]}) for this picture, got {array.shape}")
        empty = np.flatnonzero(~array.astype(bool).any(axis=(1, 2)))
        if len(empty):
            raise ValueError(f"{len(empty)} masks are empty: {empty[:5].tolist()}")
        return array.astype(bool)
    array = np.asarray(boxes, np.float32)
    if array.size == 0:
        return np.zeros((0, 4), np.float32)
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise ValueError(f"boxes are [[x0, y0, x1, y1], ...] in pixels, got an array of shape {array.shape}")
    height, width = size
    inside = np.clip(array, 0, [width, height, width, height])
    wrong = np.flatnonzero((inside[:, 2:] <= inside[:, :2]).any(axis=1))
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} boxes have no area within the picture of {width} x {height} pixels, such as "
            f"{array[wrong[0]].tolist()}: they are x0, y0, x1, y1"
        )
    return array


def as_boxes(rows: Sequence) -> list[list[float]]:
    """``"x0,y0,x1,y1"`` strings of a command line as numbers."""
    boxes = []
    for row in rows:
        try:
            box = [float(part) for part in str(row).replace(" ", "").split(",")]
        except ValueError:
            box = []
        if len(box) != 4:
            raise ValueError(f"a box is x0,y0,x1,y1 in pixels, got {row!r}")
        boxes.append(box)
    return boxes
