"""ProxyBackbone: CLIP's values averaged by the patch affinity of another model. ProxyCLIP (arXiv 2408.04883).

Shapes: B windows, D channels of a CLIP token, P channels of the proxy, h x w CLIP grid, h' x w' proxy grid of M cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens, patch_affinity, proxy_weights
from ovdense.functional.windows import window_maps
from ovdense.models.backbones.base import DenseBackbone, pad_to_cells, to_map
from ovdense.models.backbones.blocks import split_heads
from ovdense.models.backbones.clip_backbone import CLIPBackbone, backbone_class
from ovdense.models.backbones.open_clip_loader import Pretrained
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

CARRIERS = ("CLIPViT", "CLIPTimm")
SCOPES = ("window", "image")


@MODELS.register_module()
class ProxyBackbone(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures on the grid of the proxy, which is usually finer than CLIP's.

    The values of CLIP's last block are resized to the proxy's grid, averaged by the proxy's affinity and put through
    the output projection and the model's own head; residual and MLP are left out, unless asked for.

    Args:
        model: CLIP, see ``CLIPBackbone``; one made of tokens.
        pretrained: its weights.
        proxy: config of the other backbone, whose last map is used: ``dict(type="DINOBackbone", model=...)`` for DINO,
            DINOv2, DINOv3 and MAE, ``dict(type="SAMBackbone", model=...)``, or any other with ``maps``.
        proxy_size: (height, width) to which windows are resized for the proxy: 1024 for SAM, 336 for MAE in the
            official code; None leaves them as they are.
        proxy_scope: ``window`` runs the proxy on every window, as the official code does; ``image`` once on the whole
            picture, of which every window gets its part: less work where windows overlap, and no longer the same.
        beta, gamma, mean: of ``functional.attention.proxy_weights``.
        residual: add the last block's input, resized to the proxy's grid; not in the paper.
        mlp: run the last block's MLP; not in the paper. A CLIP trained to be dense with both may need both.
        pad_to: windows are padded to multiples of this; None takes the least common multiple of both strides. The
            official code pads to 56 whatever the model.
        clip_options: further options of the CLIP backbone (``position``, ``act``, ...).
        official_quirks: CLIP's position table is not resized when only the number of cells agrees, and windows that
            are not square are refused: the official code takes the rows of the grid for its columns too and fails.
            Its mean over the batch is ``mean="batch"``; with its windows one by one that is the mean per image.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``. Beside CLIP's ``v``,
            ``input`` and ``input_cls``, ``proxy`` (B, P, h', w') and ``tokens`` (B, D, h', w') can be captured.
    """

    captures = ("proxy", "tokens", "v", "input", "input_cls")

    def __init__(
        self,
        *,
        model: str | dict,
        proxy: dict,
        pretrained: Pretrained = None,
        proxy_size: int | tuple[int, int] | None = None,
        proxy_scope: str = "window",
        beta: float = 1.2,
        gamma: float = 3.0,
        mean: str = "image",
        residual: bool = False,
        mlp: bool = False,
        pad_to: int | None = None,
        clip_options: dict | None = None,
        official_quirks: bool = False,
        padding: str = "center",
        **kwargs,
    ) -> None:
        super().__init__(padding=padding, **kwargs)
        check_carrier(model)
        self.residual, self.mlp = residual, mlp
        if proxy_scope not in SCOPES:
            raise ValueError(f"proxy_scope must be one of {SCOPES}, got {proxy_scope!r}")
        self.clip = CLIPBackbone(
            model=model,
            pretrained=pretrained,
            attention="identity",
            padding="none",
            capture=self.clip_captures(),
            with_global=self.with_global,
            official_quirks=official_quirks or None,
            frozen=self.frozen,
            **(clip_options or {}),
        )
        self.proxy = MODELS.build(dict(proxy, padding="none", frozen=self.frozen))
        self.name = f"{self.clip.name} by {self.proxy.name}"
        self.space, self.embed_dim = self.clip.space, self.clip.embed_dim
        self.image_mean, self.image_std = self.clip.image_mean, self.clip.image_std
        self.proxy_size = (proxy_size,) * 2 if isinstance(proxy_size, int) else proxy_size
        self.proxy_scope, self.official_quirks = proxy_scope, official_quirks
        self.beta, self.gamma, self.mean = beta, gamma, mean
        self.stride = self.proxy.stride
        self.divisor = pad_to or math.lcm(self.clip.stride, 1 if self.proxy_size else self.proxy.stride)
        self._freeze()

    def clip_captures(self) -> tuple[str, ...]:
        """What CLIP has to capture."""
        needed = {"v", *(("input",) if self.residual else ()), *self.capture}
        return tuple(sorted(needed - {"proxy", "tokens"}))

    def encode(
        self, images: Tensor, proxy_maps: Tensor | None = None, mean: str | Tensor | None = None
    ) -> DenseFeatures:
        """Features of images of whole cells.

        Args:
            proxy_maps: (B, P, h', w') of the proxy, if they are known.
            mean: over that of the config, see ``proxy_weights``.
        """
        if self.official_quirks and proxy_maps is None and images.shape[-2] != images.shape[-1]:
            raise ValueError(
                f"official_quirks: the official code cannot run windows that are not square, got {images.shape[-2]} x "
                f"{images.shape[-1]} pixels; leave official_quirks out"
            )
        if proxy_maps is None:
            proxy_maps = self.proxy_maps(images)
        features = self.clip(images)
        weights = proxy_weights(patch_affinity(proxy_maps), self.beta, self.gamma, self.mean if mean is None else mean)
        tokens = self.average(features.extras["v"], weights.to(images.dtype), tuple(proxy_maps.shape[-2:]))
        tokens = self.rest_of_block(tokens, features.extras.get("input"))
        own = {"proxy": proxy_maps, "tokens": tokens}
        return replace(
            features,
            dense=self.to_text_space(tokens),
            extras={name: own[name] if name in own else features.extras[name] for name in self.capture},
        )

    def proxy_maps(self, images: Tensor) -> Tensor:
        """Maps (B, P, h', w') of the proxy for images that are normalised for CLIP."""
        return self.run_proxy(images).maps[-1]

    def run_proxy(self, images: Tensor) -> DenseFeatures:
        """The proxy on images (B, 3, H, W) that are normalised for CLIP, each given its own mean and std."""
        images = renormalise(images, self, self.proxy)
        if self.proxy_size is not None:
            images = F.interpolate(images, size=self.proxy_size, mode="bilinear", align_corners=False)
        return self.proxy(images)

    def average(self, values: Tensor, weights: Tensor, grid: tuple[int, int]) -> Tensor:
        """What the last block gives: values (B, D, h, w) averaged by weights (B, M, M) on another grid, projected.

        Returns:
            (B, D, *grid) tokens before the final norm.
        """
        values = F.interpolate(values, size=grid, mode="bilinear", align_corners=False)
        rows = weights @ values.flatten(2).transpose(1, 2)
        return to_map(self.project(rows, grid), grid)

    def project(self, rows: Tensor, grid: tuple[int, int]) -> Tensor:
        """Averaged values (B, N, D) through the output projection of the last block, (B, N, D)."""
        parts = self.clip.parts(self.clip.blocks()[-1])
        heads = split_heads(rows, parts.attn.num_heads)
        return parts.branch(heads, HeadTokens(q=None, k=None, v=heads, grid=grid, scale=1.0, prefix=0))

    def rest_of_block(self, tokens: Tensor, stream: Tensor | None) -> Tensor:
        """The block's output (B, D, h', w') with its residual ``stream`` (B, D, h, w) and its MLP, where they stay."""
        if self.residual:
            tokens = tokens + F.interpolate(stream, size=tokens.shape[-2:], mode="bilinear", align_corners=False)
        if self.mlp:
            parts = self.clip.parts(self.clip.blocks()[-1])
            tokens = to_map(parts.mlp(tokens.flatten(2).transpose(1, 2)), tuple(tokens.shape[-2:]))
        return tokens

    def to_text_space(self, tokens: Tensor) -> Tensor:
        """Tokens (B, D, h', w') through CLIP's final norm and projection, (B, C, h', w')."""
        return to_map(self.clip.to_text_space(tokens.flatten(2).transpose(1, 2)), tuple(tokens.shape[-2:]))

    def window_inputs(self, images: Tensor, metainfos: Sequence[dict], boxes: Sequence[tuple]) -> dict[str, Tensor]:
        """What ``forward`` wants beside the windows: with ``proxy_scope="image"`` their parts of the picture's map."""
        if self.proxy_scope == "window":
            return {}
        padded, (left, top, _, _) = pad_to_cells(images.to(self.dtype), self.divisor, self.padding)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            maps = self.proxy_maps(padded)
        cell = tuple(side / cells for side, cells in zip(padded.shape[-2:], maps.shape[-2:]))
        windows = []
        for x1, y1, x2, y2 in boxes:
            window, (before_x, before_y, _, _) = pad_to_cells(images[..., y1:y2, x1:x2], self.divisor, self.padding)
            grid = tuple(max(1, round(side / size)) for side, size in zip(window.shape[-2:], cell))
            origin = ((top + y1 - before_y) / cell[0], (left + x1 - before_x) / cell[1])
            windows.append(window_maps(maps, origin, grid))
        return {"proxy_maps": torch.stack(windows, dim=1).flatten(0, 1)}


def check_carrier(model: str | dict) -> None:
    """TypeError, with the reason, for a CLIP whose values cannot be averaged by a proxy."""
    kind = backbone_class(model)
    if kind not in CARRIERS:
        raise TypeError(
            f"a proxy steers what the last transformer block averages: {model if isinstance(model, str) else 'this'} "
            f"is a {kind}, which has no such block; use a ViT"
        )


def renormalise(images: Tensor, given: DenseBackbone, wanted: DenseBackbone) -> Tensor:
    """Images (B, 3, H, W) with one backbone's mean and std taken off and another's put on."""
    if (given.image_mean, given.image_std) == (wanted.image_mean, wanted.image_std):
        return images
    mean, std, new_mean, new_std = (
        images.new_tensor(values)[:, None, None]
        for values in (given.image_mean, given.image_std, wanted.image_mean, wanted.image_std)
    )
    return (images * std + mean - new_mean) / new_std
