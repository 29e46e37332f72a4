"""What every backbone shares: padding to whole cells, freezing, and the names of what it can capture.

``forward(images)`` takes RGB images (B, 3, H, W), normalised with the backbone's ``image_mean`` and ``image_std``, of
any height and width, and returns ``DenseFeatures``. ``capture=(...)`` asks for fields of ``DenseFeatures.extras``:

========== ==================== ======================================================================================
name       shape                content (last block, patch tokens only, unless said otherwise)
========== ==================== ======================================================================================
q, k, v    (B, D, h, w)         raw queries, keys, values, heads side by side
q_out, ... (B, D, h, w)         the same through the block's output projection (MaskCLIP smooths with ``k_out``)
attention  (B, heads, T, T)     attention weights of the chosen variant, class and register tokens first
input      (B, D, h, w)         tokens that enter the last block
input_cls  (B, D)               class token that enters the last block
tokens     (B, D, h, w)         tokens that leave the last block, before the final norm
cls        (B, D)               class token that leaves the last block, before the final norm
prefix     (B, P, D)            all class and register tokens that leave the last block
normed     (B, D, h, w)         ``tokens`` after the final norm, before the projection (``v`` of the official MaskCLIP)
dense_cls  (B, C)               the class token in the text space: row 0 of the dense outputs of SCLIP, NACLIP and GEM
vanilla    (B, C, h, w)         patch tokens of the ordinary last block in the text space (GEM's other stream)
vanilla_cls (B, C)              class token of the ordinary last block in the text space
vanilla_normed (B, D, h, w)     tokens of the ordinary last block after the final norm (``x`` of the official MaskCLIP)
block_input (B, T, D)           all tokens that enter the last block, class and register tokens first
recorded   (B, heads, T, T)     mean attention of the earlier blocks that the variant names (ResCLIP)
cls_logits (B, heads, h, w)     class token's query times the patches' keys, before scale and rotary embedding
images     (B, 3, H, W)         the padded input itself
stages     (B, L, T, D)         all tokens that leave the L blocks of ``out_indices``, class and register tokens first
mlp_input  (B, D, h, w)         what enters the MLP of block ``mlp_input_block``, after its norm (CLIP-DINOiser)
layer4     (B, D, h, w)         last stage of a ModifiedResNet; its ``k`` is ``k_proj`` of it
final      (B, D, h, w)         last map of a convolutional trunk, before its head
pooled_k   (B, D, h, w)         keys of an attention-pool head (SigLIP, PE-Core)
========== ==================== ======================================================================================

Each class lists the names that it knows in ``captures``; others raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from ovdense.functional.mask_pooling import pool_masks
from ovdense.structures import DenseFeatures

PADDINGS = ("corner", "center", "none")


def pad_to_cells(images: Tensor, stride: int, mode: str) -> tuple[Tensor, tuple[int, int, int, int]]:
    """Zero-pads (B, 3, H, W) to whole cells; returns the images and (left, top, right, bottom) pixels.

    ``corner`` pads right and bottom (MaskCLIP), ``center`` both sides (ClearCLIP), ``none`` leaves the rest of the
    image out of the grid, as the patch convolution of SCLIP does, except that one cell is always reached.
    """
    height, width = images.shape[-2:]
    add_x, add_y = -width % stride, -height % stride
    if mode == "none":
        add_x, add_y = max(0, stride - width), max(0, stride - height)
    left, top = (add_x // 2, add_y // 2) if mode == "center" else (0, 0)
    padding = (left, top, add_x - left, add_y - top)
    if any(padding):
        images = F.pad(images, (padding[0], padding[2], padding[1], padding[3]))
    return images, padding


class DenseBackbone(BaseModule):
    """(B, 3, H, W) -> DenseFeatures; a subclass writes ``encode`` for images of whole cells.

    Args:
        padding: ``corner``, ``center`` or ``none``, see ``pad_to_cells``.
        capture: names of extras, see the head of this module.
        with_global: also compute ``global_embedding``.
        frozen: evaluation mode for good, no gradients, no autograd graph.
    """

    name: str
    space: str | None
    embed_dim: int
    stride: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    captures: tuple[str, ...] = ()
    logit_scale: float = 100.0  # CLIP's factor on cosines, at most 100
    pooling_needs_pixels = False  # whether embed_masks says nothing of masks without a cell
    divisor: int | None = None  # pixels that the sides are padded to multiples of, where that is not the stride

    def __init__(
        self,
        *,
        padding: str = "corner",
        capture: Sequence[str] = (),
        with_global: bool = False,
        frozen: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if padding not in PADDINGS:
            raise ValueError(f"padding must be one of {PADDINGS}, got {padding!r}")
        capture = (capture,) if isinstance(capture, str) else tuple(capture)
        unknown = sorted(set(capture) - set(self.captures))
        if unknown:
            raise ValueError(f"{type(self).__name__} can capture {self.captures}, got {unknown}")
        self.padding, self.capture, self.with_global, self.frozen = padding, capture, with_global, frozen

    def _freeze(self) -> None:
        """To be called at the end of a subclass's ``__init__``."""
        if self.frozen:
            self.requires_grad_(False)
        self.train(not self.frozen)

    def train(self, mode: bool = True) -> DenseBackbone:
        """Stays in evaluation mode when frozen."""
        return super().train(mode and not self.frozen)

    def init_weights(self) -> None:
        """Weights are in place after construction; a trunk's own initialisation must not overwrite them."""
        self._is_init = True

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def forward(self, images: Tensor, **options) -> DenseFeatures:
        """Dense features of RGB images normalised with ``image_mean`` and ``image_std``.

        Args:
            images: (B, 3, H, W) floats, any size.
            **options: what the last block wants for this batch, over the ``attention_options`` of the config
                (for example ``affinity`` of the ``proxy`` variant).
        """
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape or not images.is_floating_point():
            raise ValueError(
                f"{type(self).__name__} takes normalised float images (B, 3, H, W), got {images.dtype} of shape "
                f"{tuple(images.shape)}"
            )
        size = (images.shape[-2], images.shape[-1])
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            padded, padding = pad_to_cells(images.to(self.dtype), self.divisor or self.stride, self.padding)
            features = self.encode(padded, **options)
        return replace(features, stride=self.stride, image_size=size, padding=padding)

    def embed_masks(self, features: DenseFeatures, mask_logits: Tensor) -> Tensor:
        """Embeddings (B, Q, C) of mask proposals (B, Q, H, W), whose grid covers what the features cover.

        Here the mean of the dense map over the cells above 0; zero for a mask without cells.
        """
        return pool_masks(features.dense, mask_logits)

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        """Features of images whose sides are whole cells (with padding ``none``: at least one cell)."""
        raise NotImplementedError


def to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens to a map, (B, h*w, D) -> (B, D, h, w)."""
    return tokens.transpose(1, 2).unflatten(2, grid)


def heads_to_map(heads: Tensor, grid: tuple[int, int], prefix: int) -> Tensor:
    """Patch tokens split in heads to a map, (B, H, P + h*w, d) -> (B, H * d, h, w)."""
    return heads[:, :, prefix:].transpose(2, 3).flatten(1, 2).unflatten(2, grid)
