"""What a prediction gives back: label maps, boxes and masks, with their savers and adapters.

Shapes: K classes, N objects, pictures (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ovdense.apis.files import write_image
from ovdense.datasets.panoptic_files import write_segment_ids
from ovdense.datasets.transforms import read_image
from ovdense.visualization import class_shares, draw_detections, draw_panoptic, draw_segmentation


@dataclass
class FailedImage:
    """A picture of a batch that could not be read or processed, and why."""

    path: str
    error: Exception


@dataclass
class _Result:
    """What both kinds of result share: the vocabulary, and where the picture is."""

    classes: tuple[str, ...]
    palette: Sequence[Sequence[int]]
    path: str | None = field(default=None, kw_only=True)
    image: np.ndarray | None = field(default=None, kw_only=True, repr=False)

    def _picture(self, image) -> np.ndarray:
        """BGR (H, W, 3) to paint on: the one given, the one kept, or the file read again."""
        source = next((source for source in (image, self.image, self.path) if source is not None), None)
        if source is None:
            raise ValueError("this result keeps no picture and no path: pass plot(image=...)")
        return read_image(source)

    def save_plot(self, path: str | Path, image=None, **options) -> Path:
        """Writes the painting of :meth:`plot`; JPEG or PNG by the name's ending."""
        return write_image(path, self.plot(image, **options))


@dataclass
class SegmentationResult(_Result):
    """Classes of the pixels.

    Args:
        classes: K names.
        palette: K RGB triples.
        labels: (H, W) class numbers, uint8 up to 255 classes, else uint16; the largest value of the type is no class.
        probability: (H, W) float32 in [0, 1], probability of the winning class, if it was asked for.
        background_index: the class that stands for "none of the others", if there is one.
        path, image: where the picture came from; arrays are BGR.
    """

    labels: np.ndarray = field(kw_only=True)
    probability: np.ndarray | None = field(default=None, kw_only=True, repr=False)
    background_index: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        kind = np.uint8 if len(self.classes) <= 255 else np.uint16
        labels = np.asarray(self.labels)
        if labels.dtype != kind:
            known = (labels >= 0) & (labels < len(self.classes))
            labels = np.where(known, labels, np.iinfo(kind).max).astype(kind)
        self.labels = labels

    def areas(self) -> dict[str, float]:
        """Share of the picture in [0, 1] by class name, largest first, present classes only."""
        shares = class_shares(self.labels, len(self.classes))
        order = [index for index in np.argsort(-shares, kind="stable") if shares[index] > 0]
        return {self.classes[index]: float(shares[index]) for index in order}

    def mask(self, name: str) -> np.ndarray:
        """(H, W) bool mask of a class."""
        if name not in self.classes:
            raise ValueError(f"the classes are {', '.join(self.classes[:20])}, got {name!r}")
        return self.labels == self.classes.index(name)

    def save_mask(self, path: str | Path) -> Path:
        """Writes the label map as a grey PNG of 8 bits, or of 16 bits beyond 255 classes."""
        return write_image(Path(path).with_suffix(".png"), self.labels)

    def plot(self, image=None, **options) -> np.ndarray:
        """The painted picture, BGR (h, w, 3); options of :func:`ovdense.visualization.draw_segmentation`."""
        options = dict(classes=self.classes, palette=self.palette, background_index=self.background_index) | options
        return draw_segmentation(self._picture(image), self.labels, **options)

    def to_coco(self, image_id: int = 0) -> list[dict]:
        """One annotation with an RLE mask for each class in the picture; category ids count from 1."""
        annotations = []
        for index in np.flatnonzero(class_shares(self.labels, len(self.classes))):
            mask = (self.labels == index)[None]  # one at a time: a large picture of many classes has large masks
            annotations += _coco_annotations(image_id, np.array([index]), _boxes_of(mask), mask, None)
        return annotations


@dataclass
class DetectionResult(_Result):
    """Objects of a picture, best first.

    Args:
        classes: K names.
        palette: K RGB triples.
        boxes: (N, 4) xyxy in pixels.
        scores: (N,) in [0, 1].
        labels: (N,) class numbers.
        masks: (N, H, W) bool, if the detector makes masks.
        size: (H, W) of the picture.
        path, image: where the picture came from; arrays are BGR.
    """

    boxes: np.ndarray = field(kw_only=True)
    scores: np.ndarray = field(kw_only=True)
    labels: np.ndarray = field(kw_only=True)
    size: tuple[int, int] = field(kw_only=True)
    masks: np.ndarray | None = field(default=None, kw_only=True, repr=False)

    def __len__(self) -> int:
        return len(self.boxes)

    def above(self, score_thr: float) -> DetectionResult:
        """Only the objects of at least this score."""
        return self._subset(self.scores >= score_thr)

    def top(self, count: int) -> DetectionResult:
        """Only the ``count`` best objects."""
        return self._subset(np.argsort(-self.scores, kind="stable")[:count])

    def counts(self) -> dict[str, int]:
        """Number of objects by class name, largest first."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        order = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
        return {self.classes[index]: int(counts[index]) for index in order}

    def plot(self, image=None, **options) -> np.ndarray:
        """The painted picture, BGR (h, w, 3); options of :func:`ovdense.visualization.draw_detections`."""
        options = dict(classes=self.classes, palette=self.palette, scores=self.scores, masks=self.masks) | options
        return draw_detections(self._picture(image), self.boxes, self.labels, **options)

    def to_coco(self, image_id: int = 0) -> list[dict]:
        """COCO annotations: bbox as xywh, score, RLE mask if there are masks; category ids count from 1."""
        return _coco_annotations(image_id, self.labels, self.boxes, self.masks, self.scores)

    def to_supervision(self):
        """The objects as ``supervision.Detections`` (needs ``pip install supervision``)."""
        import supervision

        names = np.array([self.classes[index] for index in self.labels], dtype=str)
        return supervision.Detections(
            xyxy=np.asarray(self.boxes, np.float32).reshape(-1, 4),
            confidence=np.asarray(self.scores, np.float32),
            class_id=np.asarray(self.labels, int),
            mask=None if self.masks is None else np.asarray(self.masks, bool),
            data={"class_name": names},
        )

    def _subset(self, keep: np.ndarray) -> DetectionResult:
        masks = None if self.masks is None else self.masks[keep]
        return DetectionResult(
            self.classes,
            self.palette,
            boxes=self.boxes[keep],
            scores=self.scores[keep],
            labels=self.labels[keep],
            masks=masks,
            size=self.size,
            path=self.path,
            image=self.image,
        )


@dataclass
class PanopticResult(_Result):
    """Segments of a picture: every thing by itself, each stuff class as one.

    Args:
        classes: K names.
        palette: K RGB triples.
        ids: (H, W) int32 segment ids, 0 where there is no segment.
        segments: ``id``, ``label`` and ``isthing`` of each segment.
        path, image: where the picture came from; arrays are BGR.
    """

    ids: np.ndarray = field(kw_only=True)
    segments: list[dict] = field(kw_only=True)

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.ids.shape

    def counts(self) -> dict[str, int]:
        """Number of things by class name, largest first."""
        labels = [one["label"] for one in self.segments if one["isthing"]]
        return {
            self.classes[label]: labels.count(label) for label in sorted(set(labels), key=lambda x: -labels.count(x))
        }

    def areas(self) -> dict[str, float]:
        """Share of the picture in [0, 1] by class name of stuff, largest first."""
        shares = class_shares(self.ids, max((one["id"] for one in self.segments), default=0) + 1)
        found: dict[str, float] = {}
        for one in self.segments:
            if not one["isthing"]:
                name = self.classes[one["label"]]
                found[name] = found.get(name, 0.0) + float(shares[one["id"]])
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def mask(self, segment_id: int) -> np.ndarray:
        """(H, W) bool mask of a segment."""
        if segment_id not in {one["id"] for one in self.segments}:
            raise ValueError(f"the segments are {[one['id'] for one in self.segments]}, got {segment_id!r}")
        return self.ids == segment_id

    def save_mask(self, path: str | Path) -> Path:
        """Writes the ids as COCO's panoptic PNG: red + 256 * green + 256^2 * blue."""
        path = Path(path).with_suffix(".png")
        write_segment_ids(path, self.ids)
        return path

    def plot(self, image=None, **options) -> np.ndarray:
        """The painted picture, BGR (h, w, 3); options of :func:`ovdense.visualization.draw_panoptic`."""
        options = dict(classes=self.classes, palette=self.palette) | options
        return draw_panoptic(self._picture(image), self.ids, self.segments, **options)

    def to_coco(self, image_id: int = 0) -> list[dict]:
        """One annotation with an RLE mask for each segment; category ids count from 1."""
        annotations = []
        for one in self.segments:
            mask = (self.ids == one["id"])[None]
            annotations += _coco_annotations(image_id, np.array([one["label"]]), _boxes_of(mask), mask, None)
            annotations[-1]["isthing"] = int(one["isthing"])
        return annotations


def coco_document(results: Sequence[SegmentationResult | DetectionResult | PanopticResult]) -> dict:
    """A COCO json of several results over one vocabulary: images, annotations, categories."""
    images, annotations = [], []
    for image_id, result in enumerate(results, 1):
        height, width = result.labels.shape if isinstance(result, SegmentationResult) else result.size
        images.append(dict(id=image_id, file_name=str(result.path or ""), height=int(height), width=int(width)))
        annotations.extend(result.to_coco(image_id))
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    classes = results[0].classes if results else ()
    categories = [dict(id=index, name=name) for index, name in enumerate(classes, 1)]
    return dict(images=images, annotations=annotations, categories=categories)


def _coco_annotations(image_id, labels, boxes, masks, scores) -> list[dict]:
    from pycocotools import mask as coco_mask

    annotations = []
    for index, (label, box) in enumerate(zip(labels, np.asarray(boxes, float).reshape(-1, 4))):
        x0, y0, x1, y1 = (float(value) for value in box)
        annotation = dict(
            image_id=image_id,
            category_id=int(label) + 1,
            bbox=[x0, y0, x1 - x0, y1 - y0],
            area=(x1 - x0) * (y1 - y0),
            iscrowd=0,
        )
        if scores is not None:
            annotation["score"] = float(scores[index])
        if masks is not None:
            rle = coco_mask.encode(np.asfortranarray(masks[index], dtype=np.uint8))
            annotation["area"] = float(coco_mask.area(rle))
            annotation["segmentation"] = dict(size=[int(v) for v in rle["size"]], counts=rle["counts"].decode())
        annotations.append(annotation)
    return annotations


def _boxes_of(masks: np.ndarray) -> np.ndarray:
    """(N, 4) xyxy around masks (N, H, W), none of them empty."""
    boxes = np.zeros((len(masks), 4))
    for index, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
