"""TridentBackbone: windows of CLIP and DINO, spliced and aggregated over the whole picture along SAM's correlation.

Trident, arXiv 2411.09219. Shapes: B images, n windows of an image, D channels of a CLIP token, h' x w' grid of a
window's proxy, h x w grid of the correlation over the picture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import mean_affinity
from ovdense.functional.correlation import PatchAttention, correlate
from ovdense.functional.resample import apply_separable
from ovdense.functional.windows import crop_windows, splice_axis_matrix, stack_windows, window_positions
from ovdense.models.backbones.base import DenseBackbone, pad_to_cells
from ovdense.models.backbones.open_clip_loader import Pretrained
from ovdense.models.backbones.proxy import ProxyBackbone, renormalise
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

MEANS = ("picture", "window")


@MODELS.register_module()
class TridentBackbone(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures on one grid over whole pictures, that of the correlation model.

    It cuts its own windows: use ``test_cfg=dict(mode="whole", resize="direct")``.

    Args:
        model, pretrained: CLIP, see ``ProxyBackbone``.
        proxy: config of the model whose patch affinity steers the windows, see ``ProxyBackbone``.
        correlation: config of the model whose last block says what belongs together over the picture: ``SAMBackbone``,
            or any other with ``patch_attention`` (``DINOBackbone``).
        crop_size, stride: of the windows, in pixels of the input, one number or (vertical, horizontal).
        window_batch: windows that go through CLIP and the proxy together.
        correlation_size: pixels of the longer side of what the correlation model sees; None for the input's own.
        correlation_tiles: the correlation model sees the picture in so many parts side by side, each of
            ``correlation_size``; patches of different parts are not related. The official code has 2 for Cityscapes.
        mean: the mean affinity of the proxy that ``beta`` times is taken off: over all windows of a ``picture``, as the
            official code does by running them in one batch, or of each ``window`` alone (ProxyCLIP).
        factor: ``cos_fac``, see ``functional.correlation.correlation_weights``.
        queries_at_once: rows of the correlation that are held in memory together.
        proxy_options: further options of ``ProxyBackbone`` (``beta``, ``gamma``, ``proxy_size``, ...).
        official_quirks: CLIP's as in ``ProxyBackbone``; and the correlation model sees the picture in its own
            proportions, of which the last incomplete row or column of cells is left out though the grid is stretched
            over all of the picture. Without it the sides are rounded to whole cells.
        **kwargs: ``padding`` (of windows that are smaller than ``crop_size`` and no whole cells) and ``frozen`` of
            ``DenseBackbone``; ``capture`` of ``spliced`` (B, D, h, w), the windows' tokens before the correlation, and
            ``tokens``, those after it. There is no ``global_embedding``.
    """

    captures = ("spliced", "tokens")

    def __init__(
        self,
        *,
        model: str | dict,
        proxy: dict,
        correlation: dict,
        pretrained: Pretrained = None,
        crop_size: int | tuple[int, int] = 336,
        stride: int | tuple[int, int] = 224,
        window_batch: int = 8,
        correlation_size: int | None = 1024,
        correlation_tiles: int = 1,
        mean: str = "picture",
        factor: float = 1.2,
        queries_at_once: int = 256,
        proxy_options: dict | None = None,
        official_quirks: bool = False,
        padding: str = "center",
        **kwargs,
    ) -> None:
        super().__init__(padding=padding, **kwargs)
        if self.with_global:
            raise ValueError("CLIP sees windows only: TridentBackbone gives no global embedding, got with_global=True")
        self.windows = ProxyBackbone(
            model=model,
            pretrained=pretrained,
            proxy=proxy,
            padding=padding,
            capture=("tokens",),
            frozen=self.frozen,
            official_quirks=official_quirks,
            **(proxy_options or {}),
        )
        self.correlation = MODELS.build(dict(correlation, padding="none", frozen=self.frozen))
        if not hasattr(self.correlation, "patch_attention"):
            raise TypeError(
                "correlation must be a backbone with the attention of its last block (SAMBackbone, DINOBackbone), got "
                f"{type(self.correlation).__name__}"
            )
        self.name = f"{self.windows.name} and {self.correlation.name}"
        self.space, self.embed_dim = self.windows.space, self.windows.embed_dim
        self.image_mean, self.image_std = self.windows.image_mean, self.windows.image_std
        self.crop_size, self.crop_stride = _pair(crop_size), _pair(stride)
        if any(step > side for step, side in zip(self.crop_stride, self.crop_size)):
            raise ValueError(f"stride {self.crop_stride} leaves gaps between windows of {self.crop_size} pixels")
        if correlation_tiles < 1:
            raise ValueError(f"correlation_tiles must be at least 1, got {correlation_tiles}")
        if mean not in MEANS:
            raise ValueError(f"mean must be one of {MEANS}, got {mean!r}")
        self.mean = mean
        self.window_batch, self.queries_at_once = window_batch, queries_at_once
        self.correlation_size, self.correlation_tiles = correlation_size, correlation_tiles
        self.factor, self.official_quirks = factor, official_quirks
        self.stride = self.correlation.stride
        self.divisor = self.windows.clip.stride
        self._freeze()

    def forward(self, images: Tensor) -> DenseFeatures:
        """Features of normalised RGB images (B, 3, H, W); the grid covers them exactly."""
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape or not images.is_floating_point():
            raise ValueError(
                f"TridentBackbone takes normalised float images (B, 3, H, W), got {images.dtype} of shape "
                f"{tuple(images.shape)}"
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            images = images.to(self.dtype)
            return self.encode(images)

    def encode(self, images: Tensor) -> DenseFeatures:
        size = tuple(images.shape[-2:])
        tiles = self.tile_attention(images)
        grid = (tiles[0][0].grid[0], tiles[0][0].grid[1] * len(tiles))
        spliced = self.spliced(self.to_whole_cells(images), grid)
        tokens = self.aggregate(spliced, tiles)
        own = {"spliced": spliced, "tokens": tokens}
        return DenseFeatures(
            dense=self.windows.to_text_space(tokens),
            stride=max(1, round(size[0] / grid[0])),
            image_size=size,
            extras={name: own[name] for name in self.capture},
        )

    def to_whole_cells(self, images: Tensor) -> Tensor:
        """Images stretched, by less than a cell, to sides of whole CLIP patches."""
        size = tuple(-(-side // self.divisor) * self.divisor for side in images.shape[-2:])
        if size == tuple(images.shape[-2:]):
            return images
        return F.interpolate(images, size=size, mode="bilinear", align_corners=False)

    def spliced(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens of all windows of images of whole cells, averaged where they overlap and brought to ``grid``."""
        size = tuple(images.shape[-2:])
        crop = tuple(min(side, limit) for side, limit in zip(self.crop_size, size))
        windows = crop_windows(images, crop, self.crop_stride)
        windows, padding = pad_to_cells(windows, self.windows.divisor, self.padding)
        return self.splice(self.window_tokens(windows, len(images)), size, crop, grid, padding)

    def window_tokens(self, windows: Tensor, images: int, maps: Tensor | None = None) -> Tensor:
        """Last block's output (n * B, D, h', w') for windows of whole cells of B images, window by window.

        ``maps`` (n * B, P, h', w') of the proxy, if they are known.
        """
        some = windows.split(self.window_batch)
        maps = torch.cat([self.windows.proxy_maps(part) for part in some]) if maps is None else maps
        mean = mean_affinity(maps)
        if self.mean == "picture":
            mean = mean.view(-1, images).mean(dim=0).repeat(len(maps) // images)
        inputs = zip(some, maps.split(self.window_batch), mean.split(self.window_batch))
        return torch.cat([self.windows.encode(*given).extras["tokens"] for given in inputs])

    def splice(
        self,
        tokens: Tensor,
        size: tuple[int, int],
        crop: tuple[int, int],
        grid: tuple[int, int],
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> Tensor:
        """Tokens (n * B, D, h', w') of windows of ``crop`` pixels, over images of ``size``, to (B, D, *grid)."""
        left, top, right, bottom = padding
        count = tuple(len(window_positions(*axis)) for axis in zip(size, crop, self.crop_stride))
        rows, cols = (
            splice_axis_matrix(
                size[axis],
                crop[axis],
                self.crop_stride[axis],
                tokens.shape[axis - 2],
                crop_padding=((top, bottom), (left, right))[axis],
                output=grid[axis],
            )
            for axis in (0, 1)
        )
        return apply_separable(stack_windows(tokens, count), rows, cols)

    def tile_attention(self, images: Tensor) -> list[list[PatchAttention]]:
        """What belongs together in each part of the pictures, from left to right: one entry an image."""
        images = renormalise(images, self, self.correlation)
        borders = [
            round(index * images.shape[-1] / self.correlation_tiles) for index in range(self.correlation_tiles + 1)
        ]
        size = self.correlation_input((images.shape[-2], images.shape[-1] / self.correlation_tiles))
        tiles = []
        for left, right in pairwise(borders):
            part = F.interpolate(images[..., left:right], size=size, mode="bilinear", antialias=True)
            tiles.append([self.correlation.patch_attention(image[None]) for image in part])
        return tiles

    def correlation_input(self, size: tuple[float, float]) -> tuple[int, int]:
        """Pixels (height, width) that the correlation model is given of a part of ``size``."""
        scale = 1.0 if self.correlation_size is None else self.correlation_size / max(size)
        cell = self.correlation.stride
        if self.official_quirks:
            return tuple(max(cell, int(side * scale + 0.5)) for side in size)
        return tuple(max(1, round(side * scale / cell)) * cell for side in size)

    def aggregate(self, spliced: Tensor, tiles: list[list[PatchAttention]]) -> Tensor:
        """Spliced tokens (B, D, h, w) averaged along the correlation of their part, image by image."""
        parts = []
        for part, attention in zip(spliced.chunk(len(tiles), dim=-1), tiles):
            images = zip(part.split(1), attention)
            parts.append(torch.cat([correlate(one, seen, self.factor, self.queries_at_once) for one, seen in images]))
        return torch.cat(parts, dim=-1)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
