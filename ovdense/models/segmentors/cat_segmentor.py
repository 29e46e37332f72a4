"""CAT-Seg's segmentor: both towers learn, and pictures are read in windows and as a whole.

Shapes: B images of one size, S phrases, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from mmseg.utils import add_prefix
from torch import Tensor

from ovdense.functional.windows import window_boxes
from ovdense.models.segmentors.encoded_images import EncodedImages, concatenate
from ovdense.models.segmentors.geometry import Axis
from ovdense.models.segmentors.label_decoder import LabelRules
from ovdense.models.segmentors.open_vocab_segmentor import OpenVocabSegmentor
from ovdense.models.segmentors.window_sigmoids import WindowSigmoids, matrices
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@dataclass
class EncodedViews(EncodedImages):
    """Windows of pictures that were stretched to one size, and the features of each picture as a whole.

    Args:
        view: features of the B pictures, each stretched to a window; None where a window is the whole picture.
    """

    view: DenseFeatures | None = None

    def __getitem__(self, index: int) -> EncodedViews:
        own = super().__getitem__(index)
        return own if self.view is None else replace(own, view=self.view[index : index + 1])


@MODELS.register_module()
class CATSegmentor(OpenVocabSegmentor):
    """``OpenVocabSegmentor`` for heads whose logits go through a sigmoid, with CAT-Seg's way of testing.

    With ``test_cfg.mode="slide"`` each picture is stretched to ``canvas``, cut into windows of ``crop_size``, and also
    looked at as a whole, stretched to ``crop_size``; probabilities are averaged. The published protocol has
    ``canvas=(640, 640)``, windows of 384 every 256 pixels.

    Args:
        input_size: pixels (height, width) that each window, and each training picture, is stretched to before the
            backbone; None leaves it.
        canvas: see above; None cuts the windows of the picture as it is.
        whole_view: look at the whole picture as well.
        **kwargs: those of ``OpenVocabSegmentor``. A ``TunedTextEncoder`` as ``text_encoder`` learns.
    """

    def __init__(
        self,
        *,
        input_size: tuple[int, int] | None = None,
        canvas: tuple[int, int] | None = None,
        whole_view: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.input_size = None if input_size is None else tuple(input_size)
        self.canvas = None if canvas is None else tuple(canvas)
        self.whole_view = whole_view
        if hasattr(self._text_encoder, "tower") and isinstance(self._text_encoder.tower, torch.nn.Module):
            self.text_tower = self._text_encoder.tower
            self.register_load_state_dict_post_hook(lambda module, keys: module._forget_rows())
        self._every_phrase = False

    # Text

    @property
    def text_learns(self) -> bool:
        """Whether the text tower is part of the model and has parts that learn."""
        return getattr(self._text_encoder, "learns", False)

    def _forget_rows(self) -> None:
        """Rows of a tower that may have changed are made anew on their next use."""
        if "text_tower" in self._modules and self._given is None:
            self._embeddings = None

    def train(self, mode: bool = True) -> CATSegmentor:
        self._forget_rows()
        return super().train(mode)

    # Pictures

    def extract_feat(self, inputs: Tensor) -> DenseFeatures:
        """Features of normalised images (B,3,H,W), stretched to ``input_size``."""
        if self.input_size is None:
            return super().extract_feat(inputs)
        return replace(self.backbone(_stretch(inputs, self.input_size)), image_size=self.input_size)

    @torch.no_grad()
    def encode(self, images: Tensor, metainfos: Sequence[dict] | None = None) -> EncodedViews:
        """Features of all windows and of the whole of normalised images (B,3,H,W).

        ``metainfos``: mm metainfo of each image; without it results are of the input's size.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"encode takes a batch of images (B, 3, H, W), got {tuple(images.shape)}")
        metainfos = [{} for _ in images] if metainfos is None else list(metainfos)
        if len(metainfos) != len(images):
            raise ValueError(f"got {len(images)} images but {len(metainfos)} metainfos")
        pictures, metas = zip(*(_without_padding(image, meta) for image, meta in zip(images, metainfos)))
        size, slide = self.canvas or tuple(images.shape[-2:]), self.test_cfg.mode == "slide"
        if self.canvas is None and any(picture.shape[1:] != pictures[0].shape[1:] for picture in pictures):
            raise ValueError("pictures of one batch have different sizes: set canvas=(height, width) or test singly")
        if self.canvas is None:
            size = tuple(pictures[0].shape[-2:])
        crop = tuple(min(side, limit) for side, limit in zip(size, self.test_cfg.crop_size)) if slide else size
        stride = self.test_cfg.stride if slide else size
        canvases = torch.cat([_stretch(picture[None], size) for picture in pictures])
        windows = [image[:, y1:y2, x1:x2] for image in canvases for x1, y1, x2, y2 in window_boxes(size, crop, stride)]
        features = self._in_batches(windows)
        view = None
        if self.whole_view and crop != size:
            view = self._in_batches([_stretch(picture[None], crop)[0] for picture in pictures])
        return EncodedViews(features, crop, stride, size, list(metas), None, view)

    def _in_batches(self, windows: list[Tensor]) -> DenseFeatures:
        step = self.test_cfg.window_batch
        parts = [self.extract_feat(torch.stack(windows[at : at + step])) for at in range(0, len(windows), step)]
        return concatenate(parts)

    # Names

    def window_logits(self, encoded: EncodedViews) -> WindowSigmoids:
        """Phrase logits of one encoded image and the way to its original size.

        Of a vocabulary of which the head drops phrases, only those are held that some window keeps.
        """
        embeddings = self.class_embeddings
        parts = [encoded.features[index] for index in range(len(encoded.features))]
        if encoded.view is not None:
            parts.append(encoded.view)
        found = [self.decode_head.kept_logits(part, embeddings.rows) for part in parts]
        phrases = torch.arange(len(embeddings.rows), device=embeddings.rows.device)
        if found[0][1] is not None:
            if not self._every_phrase:
                phrases = torch.unique(torch.cat([kept[0] for _, kept in found]))
            place = torch.full((len(embeddings.rows),), -1, device=phrases.device)
            place[phrases] = torch.arange(len(phrases), device=phrases.device)
            found = [(_spread(logits, place[kept[0]], len(phrases)), None) for logits, kept in found]
        maps = torch.cat([logits for logits, _ in found])
        windows, view = (maps, None) if encoded.view is None else (maps[:-1], maps[-1:])
        axes = tuple(
            self._to_crop(axis, cells, input_side)
            for axis, cells, input_side in zip(encoded.axes(0), windows.shape[-2:], self.input_size or (None, None))
        )
        rows, cols = matrices(axes, windows.device)
        stacked = windows.new_zeros(1).expand(
            windows.shape[1], encoded.grid[0] * windows.shape[-2], encoded.grid[1] * windows.shape[-1]
        )
        index = embeddings.class_index.to(phrases.device)[phrases]
        return WindowSigmoids(stacked, rows, cols, index, windows=windows, axes=axes, view=view)

    def _to_crop(self, axis: Axis, cells: int, input_side: int | None) -> Axis:
        """The axis of a window's logits; the backbone's padding in pixels of the window."""
        if input_side is None or input_side == axis.crop:
            return replace(axis, cells=cells)
        if any(axis.padding):
            raise ValueError(
                f"input_size must be whole patches of {self.backbone.stride} pixels, got {self.input_size}"
            )
        return replace(axis, cells=cells)

    def label_rules(self) -> LabelRules:
        """Probabilities come out of the sigmoid; there is no softmax."""
        return replace(super().label_rules(), softmax=False)

    def _decode_one(self, encoded: EncodedViews, sample, keep_logits: bool) -> None:
        self._every_phrase = keep_logits
        try:
            super()._decode_one(encoded, sample, keep_logits)
        finally:
            self._every_phrase = False

    @torch.no_grad()
    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        self._every_phrase = True
        try:
            return super().encode_decode(inputs, batch_img_metas)
        finally:
            self._every_phrase = False

    # Training

    def loss(self, inputs: Tensor, data_samples: list) -> dict[str, Tensor]:
        """Losses of the head; rows carry gradients where the text tower learns."""
        if self.text_learns:
            classes, rows = None, self._text_encoder.rows(self.vocabulary)
            if self.vocabulary.num_phrases != self.vocabulary.num_classes:
                classes = self.class_embeddings
        else:
            classes = self.class_embeddings
            rows = classes.rows
        losses = self.decode_head.loss(self.extract_feat(inputs), rows, data_samples, classes=classes)
        return add_prefix(losses, "decode")


def _stretch(images: Tensor, size: tuple[int, int]) -> Tensor:
    """(B,3,H,W) in another size, bilinear without antialiasing, as the official code does it."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def _spread(logits: Tensor, place: Tensor, count: int) -> Tensor:
    """(1,T,h,w) logits at their places among ``count`` phrases, -100 elsewhere."""
    out = logits.new_full((1, count, *logits.shape[2:]), -100.0)
    out[:, place] = logits
    return out


def _without_padding(image: Tensor, meta: dict) -> tuple[Tensor, dict]:
    """The picture (3,H,W) without what the preprocessor added, and its metainfo without mention of it."""
    left, right, top, bottom = meta.get("img_padding_size", meta.get("padding_size", (0, 0, 0, 0)))
    height, width = image.shape[-2:]
    image = image[:, top : height - bottom, left : width - right]
    meta = {key: value for key, value in meta.items() if key not in ("img_padding_size", "padding_size")}
    return image, {**meta, "ori_shape": tuple(meta.get("ori_shape", image.shape[-2:]))[:2]}
