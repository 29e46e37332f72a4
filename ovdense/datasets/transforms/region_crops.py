"""Regions of a picture and the crops of them, for self-distillation (CLIPSelf, arXiv 2310.01403).

Pictures are BGR as everywhere in a pipeline; Pillow's bicubic filter is what the official code resizes with.
"""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from PIL import Image

from ovdense.functional.self_distillation import grid_boxes, grid_choices
from ovdense.registry import TRANSFORMS


def fit_longest(image: Image.Image, size: int) -> Image.Image:
    """A picture enlarged or reduced until its longest side has ``size`` pixels."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.BICUBIC)


def pad_square(image: Image.Image, size: int, centred: bool) -> np.ndarray:
    """(size, size, 3) with black around the picture, or at its right and bottom."""
    array = np.asarray(image)
    out = np.zeros((size, size, array.shape[2]), array.dtype)
    top, left = ((size - array.shape[0]) // 2, (size - array.shape[1]) // 2) if centred else (0, 0)
    out[top : top + array.shape[0], left : left + array.shape[1]] = array
    return out


@TRANSFORMS.register_module()
class PackRegionCrops(BaseTransform):
    """A picture becomes the student's picture, boxes in it, and the teacher's crops of these boxes.

    Regions are the cells of a random grid (``functional.self_distillation.grid_choices``) or, where the picture has
    ``proposals``, boxes drawn from them; a picture whose proposals are all too small or large gets a grid.

    Required keys: ``img`` (H,W,3) uint8; ``proposals`` (R,4) xyxy in its pixels for ``source="proposals"``.
    Result: ``inputs`` (3,H',W') and ``crops`` (R,3,s,s) of uint8, ``boxes`` (R,4) in pixels of ``inputs``.

    Args:
        source: ``grid`` or ``proposals``.
        most_cells: the most rows and columns of a grid.
        max_regions: regions kept of a picture, drawn at random.
        crop_size: s, what the teacher was trained with; crops keep their shape and lie in the middle, black around.
        crop_scale: crops are so many times larger than their boxes, cut at the picture's edge; None = 1 for grids and
            1.5 for proposals, as the paper.
        image_size: longest side of the student's picture; None leaves its size.
        square: pad the student's picture to ``image_size`` x ``image_size``, as the official code does.
        min_size: proposals of less than ``min_size ** 2`` pixels are left out.
        max_size: so are those of more than ``max_size ** 2``.
    """

    def __init__(
        self,
        *,
        source: str = "grid",
        most_cells: int = 6,
        max_regions: int = 20,
        crop_size: int = 224,
        crop_scale: float | None = None,
        image_size: int | None = 1024,
        square: bool = True,
        min_size: float = 8,
        max_size: float = 1024,
    ) -> None:
        if source not in ("grid", "proposals"):
            raise ValueError(f"source must be grid or proposals, got {source!r}")
        self.source, self.choices, self.max_regions = source, grid_choices(most_cells), max_regions
        self.crop_size, self.image_size, self.square = crop_size, image_size, square
        default = 1.5 if source == "proposals" else 1.0
        self.crop_scale = default if crop_scale is None else crop_scale
        self.min_size, self.max_size = min_size, max_size

    def transform(self, results: dict) -> dict:
        picture = Image.fromarray(results["img"])
        boxes = self.draw_regions(picture.size, results.get("proposals"))
        image = picture if self.image_size is None else fit_longest(picture, self.image_size)
        factors = [image.width / picture.width, image.height / picture.height] * 2
        array = pad_square(image, max(image.size), False) if self.square else np.asarray(image)
        return dict(
            inputs=to_tensor(array), crops=self.cut(picture, boxes), boxes=torch.from_numpy(boxes * np.float32(factors))
        )

    def draw_regions(self, size: tuple[int, int], proposals=None) -> np.ndarray:
        """(R,4) boxes in pixels of a picture of (W,H) pixels."""
        if self.source == "proposals":
            if proposals is None:
                raise ValueError(
                    "source='proposals' needs boxes of every picture: give the dataset a proposals file, "
                    "or use source='grid'"
                )
            boxes = np.asarray(proposals, np.float32).reshape(-1, 4)
            areas = (boxes[:, 2] - boxes[:, 0]).clip(0) * (boxes[:, 3] - boxes[:, 1]).clip(0)
            boxes = boxes[(areas >= self.min_size**2) & (areas <= self.max_size**2)]
            if len(boxes):
                return boxes[np.random.permutation(len(boxes))[: self.max_regions]]
        rows, columns = self.choices[np.random.randint(len(self.choices))]
        boxes = grid_boxes(rows, columns).numpy() * np.float32([*size, *size])
        return boxes[np.random.permutation(len(boxes))[: self.max_regions]]

    def cut(self, picture: Image.Image, boxes: np.ndarray) -> torch.Tensor:
        """Crops (R,3,s,s) of uint8 around boxes (R,4)."""
        crops = [torch.zeros((0, 3, self.crop_size, self.crop_size), dtype=torch.uint8)]
        for x1, y1, x2, y2 in boxes.tolist():
            if self.crop_scale > 1:
                centre, half = ((x1 + x2) / 2, (y1 + y2) / 2), self.crop_scale / 2
                width, height = x2 - x1, y2 - y1
                x1, y1 = max(centre[0] - width * half, 0), max(centre[1] - height * half, 0)
                x2 = min(centre[0] + width * half, picture.width)
                y2 = min(centre[1] + height * half, picture.height)
            left, top, right, bottom = (round(value) for value in (x1, y1, x2, y2))
            crop = picture.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
            crops.append(to_tensor(pad_square(fit_longest(crop, self.crop_size), self.crop_size, True))[None])
        return torch.cat(crops)


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """(H,W,3) to (3,H,W)."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
