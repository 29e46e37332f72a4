"""Masks that another tool made (SAM, an annotation program, a person), to be named by a model.

Shapes: R masks, H x W pixels of the picture, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from ovdense.apis.predictor import Predictor
from ovdense.apis.results import DetectionResult
from ovdense.datasets.transforms import read_image

KINDS = (
    "masks are COCO run lengths ({'size': [H, W], 'counts': ...}), polygons ([[x0, y0, x1, y1, ...], ...]) or objects "
    "with one of them under 'segmentation'"
)


@dataclass
class NamedMasks:
    """Masks of one picture with their class scores, in the order in which they were given.

    Args:
        classes: the K names.
        masks: (R,H,W) bool.
        scores: (R,K) in [0, 1]; 0 for a mask without a pixel.
        result: the same as boxes, labels and masks, for pictures and files; masks without a pixel are left out.
    """

    classes: tuple[str, ...]
    masks: np.ndarray
    scores: np.ndarray
    result: DetectionResult

    @property
    def labels(self) -> np.ndarray:
        """(R,) best class of each mask; -1 for a mask without a pixel."""
        best = self.scores.argmax(axis=1) if len(self.scores) else np.zeros(0, int)
        return np.where(self.masks.any(axis=(1, 2)), best, -1)

    @property
    def names(self) -> list[str | None]:
        """Name of each mask; None for one without a pixel."""
        return [None if label < 0 else self.classes[label] for label in self.labels]


def classify_masks(predictor: Predictor, image, masks, classes=None, **options) -> NamedMasks:
    """Names masks of a picture with words of one's own.

    Args:
        predictor: a ``Detector`` or ``Segmenter`` whose model can name masks: detectors, OVSeg, FC-CLIP and others.
        image: path, bytes, BGR array or PIL image.
        masks: (R,H,W) bool of the picture's size, or what ``read_masks`` takes.
        classes: words, in any form that ``load_vocabulary`` takes, with its ``options``; None keeps the model's.

    Raises:
        ValueError: a model that cannot name masks, no words, or masks of another size than the picture.
    """
    model = predictor.model
    if not hasattr(model, "name_masks"):
        raise ValueError(
            f"a {type(model).__name__} cannot name masks: take a detector, or OVSeg or FC-CLIP by --config"
        )
    if classes is not None:
        predictor.set_vocabulary(classes, **options)
    if predictor.vocabulary is None:
        raise ValueError("no words yet: give classes")
    path = str(image) if isinstance(image, (str, Path)) else None
    pixels = read_image(image)
    size = pixels.shape[:2]
    is_array = isinstance(masks, (np.ndarray, torch.Tensor))
    masks = np.asarray(masks).astype(bool) if is_array else read_masks(masks, size, path)
    if masks.ndim != 3 or masks.shape[1:] != size:
        raise ValueError(f"masks must be (R, {size[0]}, {size[1]}) like the picture, got {masks.shape}")
    scores = _scores(predictor, pixels, path, masks)
    found = masks.any(axis=(1, 2))
    scores[~found] = 0
    vocabulary = predictor.vocabulary
    result = DetectionResult(
        tuple(vocabulary.classes),
        vocabulary.palette,
        boxes=_boxes(masks[found]),
        scores=scores[found].max(axis=1) if found.any() else np.zeros(0, np.float32),
        labels=scores[found].argmax(axis=1) if found.any() else np.zeros(0, int),
        masks=masks[found],
        size=tuple(size),
        path=path,
        image=pixels,
    )
    return NamedMasks(tuple(vocabulary.classes), masks, scores, result)


@torch.no_grad()
def _scores(predictor: Predictor, pixels: np.ndarray, path: str | None, masks: np.ndarray) -> np.ndarray:
    if not len(masks):
        return np.zeros((0, predictor.vocabulary.num_classes), np.float32)
    model = predictor.model
    data = model.data_preprocessor(pseudo_collate([predictor._prepare(pixels, path)]), False)
    metainfos = [sample.metainfo for sample in data["data_samples"]]
    given = torch.from_numpy(masks).to(data["inputs"].device)
    return model.name_masks(data["inputs"], [given], metainfos)[0].float().cpu().numpy()


def read_masks(source, size: tuple[int, int], path: str | None = None) -> np.ndarray:
    """Masks (R,H,W) bool of a picture of size (H, W).

    Args:
        source: a list of run lengths, polygons or objects with a ``segmentation`` (the output of SAM's mask generator
            with ``output_mode="coco_rle"``, COCO annotations); a COCO document with ``images`` and ``annotations``; or
            a json file of one of them.
        path: of the picture, which chooses among the pictures of a COCO document.

    Raises:
        ValueError: something else, with the position and what it is.
    """
    name = "the masks"
    if isinstance(source, (str, Path)):
        name = str(source)
        try:
            source = json.loads(Path(source).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"no such file of masks: {name}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read masks from {name}: {error}") from None
    if isinstance(source, Mapping) and "annotations" in source:
        source = _of_picture(source, path, name)
    if not isinstance(source, Sequence) or isinstance(source, str):
        raise ValueError(f"{name}: {KINDS}, in a list; got {type(source).__name__}")
    masks = [_decode(item, size, f"{name}, mask {index}") for index, item in enumerate(source)]
    return np.stack(masks) if masks else np.zeros((0, *size), bool)


def _of_picture(document: Mapping, path: str | None, name: str) -> list:
    """The annotations of one picture of a COCO document; of all without a list of pictures."""
    images = document.get("images")
    if not images:
        return document["annotations"]
    wanted = Path(path).name if path else None
    ids = {image["id"] for image in images if Path(str(image.get("file_name"))).name == wanted}
    if not ids and len(images) == 1:
        ids = {images[0]["id"]}
    if not ids:
        raise ValueError(f"{name} has no picture {wanted}, only {[image.get('file_name') for image in images[:5]]}")
    return [item for item in document["annotations"] if item.get("image_id") in ids]


def _decode(item, size: tuple[int, int], where: str) -> np.ndarray:
    from pycocotools import mask as coco_mask

    if isinstance(item, Mapping) and "segmentation" in item:
        item = item["segmentation"]
    if isinstance(item, Mapping) and "size" in item and list(item["size"]) != list(size):
        raise ValueError(f"{where} is of size {list(item['size'])}, the picture of {list(size)}")
    try:
        if isinstance(item, Mapping):
            rle = coco_mask.frPyObjects(item, *size) if isinstance(item["counts"], list) else item
        else:
            rings = [item] if item and not isinstance(item[0], (list, tuple)) else item
            rle = coco_mask.merge(coco_mask.frPyObjects([list(map(float, ring)) for ring in rings], *size))
        return coco_mask.decode(rle).astype(bool)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise ValueError(f"{where}: {KINDS}; got {str(item)[:80]}") from error


def _boxes(masks: np.ndarray) -> np.ndarray:
    """(R,4) xyxy around masks that have a pixel."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for index, mask in enumerate(masks):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
