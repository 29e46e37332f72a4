"""Pictures with a phrase and its mask: loading, cutting around the object, prompts, packing (CLIPSeg).

Shapes: H x W pixels; ``gt_seg_map`` holds 1 on what the phrase means, 0 elsewhere, 255 where nothing is known.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs

from ovdense.datasets.transforms.image_io import read_image
from ovdense.functional.visual_prompts import engineer_prompt
from ovdense.registry import TRANSFORMS

IGNORE = 255
IMAGENET_MEAN = (123.675, 116.28, 103.53)


def phrase_mask(entry: dict, size: tuple[int, int]) -> np.ndarray:
    """(H,W) uint8 of 0 and 1 from an entry's ``polygons`` (rings of x, y in pixels) or ``mask_path``."""
    if entry.get("mask_path"):
        mask = cv2.imdecode(np.fromfile(entry["mask_path"], np.uint8), cv2.IMREAD_GRAYSCALE)
        if mask is None or mask.shape != tuple(size):
            got = "no picture" if mask is None else f"{mask.shape[0]} x {mask.shape[1]}"
            raise ValueError(f"{entry['mask_path']} must be a mask of {size[0]} x {size[1]} pixels, got {got}")
        return (mask > 0).astype(np.uint8)
    mask = np.zeros(size, np.uint8)
    for ring in entry["polygons"]:
        cv2.fillPoly(mask, [np.round(np.asarray(ring, np.float64)).astype(np.int32)], 1)
    return mask


@TRANSFORMS.register_module()
class LoadPhraseMask(BaseTransform):
    """Adds ``gt_seg_map`` of the phrase; all zero for a phrase that was made up (``negative``).

    Args:
        resized: later transforms change it with the picture; False keeps the picture's own size, for tests.
    """

    def __init__(self, *, resized: bool = True) -> None:
        self.resized = resized

    def transform(self, results: dict) -> dict:
        size = tuple(results["img"].shape[:2])
        mask = np.zeros(size, np.uint8) if results.get("negative") else phrase_mask(results, size)
        results["gt_seg_map"] = mask
        if self.resized:
            results["seg_fields"] = [*results.get("seg_fields", []), "gt_seg_map"]
        return results


@TRANSFORMS.register_module()
class PickPhrase(BaseTransform):
    """Makes a phrase and its mask of a label map with classes: a class that it shows or, with ``negative_prob``, not.

    Args:
        classes: names by label number; None for those of the data set (``classes`` in the results).
        negative_prob: share of phrases that the picture does not show.
    """

    def __init__(self, *, classes=None, negative_prob: float = 0.2) -> None:
        self.classes = None if classes is None else tuple(classes)
        self.negative_prob = negative_prob

    def transform(self, results: dict) -> dict | None:
        names = self.classes or results.get("classes")
        if not names:
            raise ValueError("PickPhrase needs the classes of the label maps: give classes=[...]")
        labels = results["gt_seg_map"]
        shown = [int(label) for label in np.unique(labels) if label < len(names)]
        absent = [label for label in range(len(names)) if label not in shown]
        negative = absent and (not shown or np.random.rand() < self.negative_prob)
        label = int(np.random.choice(absent if negative else shown))
        mask = (labels == label).astype(np.uint8)
        mask[labels == IGNORE] = IGNORE
        return {**results, "gt_seg_map": mask, "phrase": names[label]}


@TRANSFORMS.register_module()
class ObjectCrop(BaseTransform):
    """Cuts a random square of the shorter side that shows enough of the object, or the best of ``tries``.

    Args:
        min_share: pixels of the object, as a share of the whole picture.
        tries: squares that are looked at.
    """

    def __init__(self, *, min_share: float = 0.05, tries: int = 50) -> None:
        self.min_share, self.tries = min_share, tries

    def transform(self, results: dict) -> dict:
        mask, (height, width) = results["gt_seg_map"], results["img"].shape[:2]
        side, best = min(height, width), (-1, 0, 0)
        for _ in range(self.tries if height != width else 1):
            top, left = np.random.randint(height - side + 1), np.random.randint(width - side + 1)
            area = int((mask[top : top + side, left : left + side] == 1).sum())
            best = max(best, (area, top, left))
            if area > self.min_share * height * width:
                break
        _, top, left = best
        for key in ("img", "gt_seg_map"):
            results[key] = np.ascontiguousarray(results[key][top : top + side, left : left + side])
        results["img_shape"] = results["img"].shape[:2]
        return results


@TRANSFORMS.register_module()
class LoadPromptImage(BaseTransform):
    """Adds ``prompt_img`` (size,size,3) BGR float: the object of another picture with this phrase, where there is one.

    Args:
        size: pixels of its side.
        **options: of ``engineer_prompt``.
    """

    def __init__(self, *, size: int = 352, **options) -> None:
        self.size, self.options = size, options

    def transform(self, results: dict) -> dict:
        other = results.pop("prompt", None)
        if other is None:
            return results
        picture = read_image(other["img_path"])
        mean = torch.tensor(IMAGENET_MEAN[::-1])[:, None, None]
        image = torch.from_numpy(picture).permute(2, 0, 1).float() - mean
        mask = torch.from_numpy(phrase_mask(other, picture.shape[:2]))
        prompt = engineer_prompt(image, mask, size=self.size, **self.options) + mean
        results["prompt_img"] = prompt.permute(1, 2, 0).numpy()
        return results


@TRANSFORMS.register_module()
class PackPhraseInputs(PackSegInputs):
    """mmseg's ``PackSegInputs`` with the metainfo ``phrase`` and ``phrase_class``, and ``prompt_img`` (3,h,w) RGB."""

    KEYS = ("phrase", "phrase_class")

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.meta_keys = tuple(dict.fromkeys((*self.meta_keys, *self.KEYS)))

    def transform(self, results: dict) -> dict:
        packed = super().transform(results)
        if "prompt_img" in results:
            image = np.ascontiguousarray(results["prompt_img"][..., ::-1].transpose(2, 0, 1))
            packed["data_samples"].set_field(PixelData(data=torch.from_numpy(image)), "prompt_img", PixelData)
        return packed
