"""An encoded batch: the features of every window, and what is needed to paste them back.

Shapes: B images of one size, ny x nx windows of each, h x w patch grid of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ovdense.functional.windows import window_boxes, window_positions
from ovdense.models.segmentors.geometry import Axis
from ovdense.structures import DenseFeatures


@dataclass
class EncodedImages:
    """What ``OpenVocabSegmentor.encode`` gives: decode it with as many vocabularies as you like.

    Args:
        features: of the B * ny * nx windows, image by image, row by row.
        crop: (height, width) of a window in pixels.
        stride: (vertical, horizontal) pixels between windows.
        image_size: (H, W) of the input.
        metainfos: mm metainfo of each image (``ori_shape``, padding, flip).
        images: (B,3,H,W) the normalised input, kept only where a refinement wants it.
    """

    features: DenseFeatures
    crop: tuple[int, int]
    stride: tuple[int, int]
    image_size: tuple[int, int]
    metainfos: list[dict]
    images: Tensor | None = None

    def __len__(self) -> int:
        return len(self.metainfos)

    @property
    def grid(self) -> tuple[int, int]:
        """(ny, nx) windows of an image."""
        return tuple(len(window_positions(*axis)) for axis in zip(self.image_size, self.crop, self.stride))

    def __getitem__(self, index: int) -> EncodedImages:
        """One image of the batch."""
        windows = self.grid[0] * self.grid[1]
        return replace(
            self,
            features=self.features[index * windows : (index + 1) * windows],
            metainfos=[self.metainfos[index]],
            images=None if self.images is None else self.images[index : index + 1],
        )

    def axes(self, index: int, ignore_padding: bool = False) -> tuple[Axis, Axis]:
        """The vertical and horizontal way of image ``index`` from the window grids to its original size.

        ``ignore_padding``: stretch the grid over the unpadded window, though it covers the padded one.
        """
        meta = self.metainfos[index]
        left, top, right, bottom = (0,) * 4 if ignore_padding else self.features.padding
        cut_left, cut_right, cut_top, cut_bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
        cut = ((cut_top, cut_bottom), (cut_left, cut_right))
        valid = tuple(length - sum(both) for length, both in zip(self.image_size, cut))
        out = tuple(meta.get("ori_shape", valid))[:2]
        flipped = meta.get("flip_direction", "horizontal") if meta.get("flip") else ""
        return tuple(
            Axis(
                length=self.image_size[axis],
                crop=self.crop[axis],
                stride=self.stride[axis],
                cells=self.features.grid[axis],
                padding=((top, bottom), (left, right))[axis],
                cut=cut[axis],
                flip=flipped in (("vertical", "diagonal"), ("horizontal", "diagonal"))[axis],
                out=int(out[axis]),
            )
            for axis in (0, 1)
        )


def encode_windows(
    backbone: Callable[[Tensor], DenseFeatures],
    images: Tensor,
    crop: tuple[int, int],
    stride: tuple[int, int],
    window_batch: int,
    metainfos: Sequence[dict] = (),
) -> DenseFeatures:
    """Features of all windows of all images (B,3,H,W), ``window_batch`` at a time through the backbone.

    A backbone with ``window_inputs(images, metainfos, boxes)`` is given, with the windows, their share of the tensors
    (windows of all images, ...) that it returns by name.
    """
    boxes = window_boxes(tuple(images.shape[-2:]), crop, stride)
    windows = [image[:, y1:y2, x1:x2] for image in images for x1, y1, x2, y2 in boxes]
    wants = getattr(backbone, "window_inputs", None)
    inputs = {} if wants is None else wants(images, metainfos, boxes)
    parts = []
    for start in range(0, len(windows), window_batch):
        some = slice(start, start + window_batch)
        parts.append(backbone(torch.stack(windows[some]), **{name: value[some] for name, value in inputs.items()}))
    return concatenate(parts)


def concatenate(parts: list[DenseFeatures]) -> DenseFeatures:
    """One batch from several of the same grid."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def join(tensors: list[Tensor | None]) -> Tensor | None:
        return None if tensors[0] is None else torch.cat(tensors)

    return replace(
        first,
        dense=join([part.dense for part in parts]),
        global_embedding=join([part.global_embedding for part in parts]),
        maps=tuple(torch.cat(level) for level in zip(*(part.maps for part in parts))),
        extras={name: torch.cat([part.extras[name] for part in parts]) for name in first.extras},
    )
