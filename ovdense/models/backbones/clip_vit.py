"""CLIPViT: open_clip's own VisionTransformer (OpenAI, LAION, DataComp, DFN, MetaCLIP 1 and 2, CLIPA, CoCa, ...).

Shapes: B images, T = 1 + h * w tokens (class token first), D channels, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.functional.attention import HeadTokens, attention_map, get_attention_variant, vanilla
from ovdense.functional.position import POSITION_MODES, resize_position_table
from ovdense.models.backbones.base import DenseBackbone, heads_to_map, to_map
from ovdense.models.backbones.blocks import OpenCLIPBlock, apply_variant
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation that OpenAI's weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"gelu": nn.GELU, "quickgelu": QuickGELU}


@MODELS.register_module()
class CLIPViT(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures of a native open_clip ViT, its last block replaced by a dense variant.

    Args:
        model: open_clip name, embedded model, or a config dict (see ``open_clip_loader.load_clip``).
        pretrained: tag, local file, state dict or None.
        attention: last-block variant, one of ``functional.attention.ATTENTION_VARIANTS``.
        attention_options: keyword arguments of the variant (``std``, ``iterations``, ``depth``, ...).
        residual: add the block's input; None = as the variant's paper does.
        mlp: run the block's MLP; None = as the variant's paper does.
        position: how the position table is resized, one of ``functional.position.POSITION_MODES``.
        official_quirks: skip that resizing whenever the number of cells agrees, as the official code does.
        act: ``gelu``, ``quickgelu`` or None for what the weights were trained with. The official MaskCLIP runs
            OpenAI weights with ``gelu`` and ``ln_eps=1e-6``.
        ln_eps: epsilon of every layer norm, or None for the model's own.
        out_indices: blocks whose patch tokens become ``maps``; the last block gives those of the variant.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``.
    """

    captures = (
        *("q", "k", "v", "q_out", "k_out", "v_out", "attention", "input", "input_cls", "tokens", "cls", "prefix"),
        *("normed", "dense_cls", "vanilla", "vanilla_cls", "vanilla_normed"),
    )

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        attention: str = "value",
        attention_options: dict | None = None,
        residual: bool | None = None,
        mlp: bool | None = None,
        position: str = "sclip",
        official_quirks: bool = False,
        act: str | None = None,
        ln_eps: float | None = None,
        out_indices: Sequence[int] = (),
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if position not in POSITION_MODES:
            raise ValueError(f"position must be one of {sorted(POSITION_MODES)}, got {position!r}")
        self.variant = get_attention_variant(attention)
        self.attention_options = dict(attention_options or {})
        self.residual = self.variant.residual if residual is None else residual
        self.mlp = self.variant.mlp if mlp is None else mlp
        self.position, self.official_quirks = position, official_quirks

        loaded = load_clip(model, pretrained)
        visual = loaded.visual
        check_supported(visual, loaded.name)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.stride = visual.patch_size[0]
        override_activation(visual, act)
        override_eps(visual, ln_eps)
        self.visual = visual
        count = len(visual.transformer.resblocks)
        if any(not -count <= index < count for index in out_indices):
            raise ValueError(f"out_indices must name blocks 0 to {count - 1} of {loaded.name}, got {list(out_indices)}")
        self.out_indices = tuple(index % count for index in out_indices)
        self._depth(self.attention_options)
        self._freeze()

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        x, grid = self.embed(images)
        options = {**self.attention_options, **options}
        blocks = self.visual.transformer.resblocks
        depth, maps = self._depth(options), {}
        for index, block in enumerate(blocks[:-depth]):
            x = block(x)
            if index in self.out_indices:
                maps[index] = to_map(x[:, 1:], grid)

        ordinary = stream = x
        for index, block in enumerate(blocks[-depth:], start=len(blocks) - depth):
            x, parts = ordinary, OpenCLIPBlock(block)
            tokens = parts.split(x, grid, needs_qk=self.variant.needs_qk or self._wants_ordinary())
            context = self.variant.function(tokens, **options)
            stream = apply_variant(parts, stream, context, tokens, residual=self.residual, mlp=self.mlp)
            if index < len(blocks) - 1:
                ordinary = apply_variant(parts, x, vanilla(tokens), tokens, residual=True, mlp=True)
            if index in self.out_indices:
                maps[index] = to_map(stream[:, 1:], grid)

        extras = self._capture(parts, x, stream, tokens, options)
        return DenseFeatures(
            dense=to_map(self.to_text_space(stream[:, 1:]), grid),
            global_embedding=self._global_embedding(parts, x, stream, tokens) if self.with_global else None,
            maps=tuple(maps[index] for index in self.out_indices),
            extras=extras,
        )

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Images of whole cells to tokens that enter the first block, and the patch grid."""
        visual = self.visual
        patches = visual.conv1(images)
        grid = (patches.shape[-2], patches.shape[-1])
        table = resize_position_table(
            visual.positional_embedding,
            grid,
            self.position,
            table_grid=visual.grid_size,
            official_quirks=self.official_quirks,
        )
        class_token = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = torch.cat([class_token, patches.flatten(2).transpose(1, 2)], dim=1) + table.to(patches.dtype)
        return visual.ln_pre(visual.patch_dropout(x)), grid

    def to_text_space(self, tokens: Tensor) -> Tensor:
        """Tokens that left the last block to the text space, (B, N, D) -> (B, N, C)."""
        visual = self.visual
        if visual.attn_pool is not None:
            tokens = pool_single_tokens(visual.attn_pool, tokens)
        tokens = visual.ln_post(tokens)
        return tokens if visual.proj is None else tokens @ visual.proj

    def _depth(self, options: dict) -> int:
        """Number of blocks at the end that the variant replaces: 1, or GEM's depth - 1."""
        count = len(self.visual.transformer.resblocks)
        if self.variant.streams == 1:
            return 1
        depth = options.get("depth")
        depth = min(7, count + 1) if depth is None else depth
        if not 2 <= depth <= count + 1:
            raise ValueError(f"depth of {self.variant.name} must be 2 to {count + 1} for {count} blocks, got {depth}")
        return depth - 1

    def _is_ordinary(self) -> bool:
        """True when the chosen variant is the block as it was trained."""
        return self.variant.name == "vanilla" and self.residual and self.mlp

    def _wants_ordinary(self) -> bool:
        """True when queries and keys of the last block are needed beside the variant's own."""
        names = {"q", "k", "q_out", "k_out", "vanilla", "vanilla_cls", "vanilla_normed"}
        return self.with_global or bool(names.intersection(self.capture))

    def _ordinary(self, parts: OpenCLIPBlock, x: Tensor, stream: Tensor, tokens: HeadTokens, rows: slice) -> Tensor:
        """Some rows of the output of the last block as it was trained; only those rows are computed."""
        if self._is_ordinary():
            return stream[:, rows]
        context = vanilla(replace(tokens, q=tokens.q[:, :, rows]))
        return apply_variant(parts, x[:, rows], context, tokens, residual=True, mlp=True)

    def _global_embedding(self, parts: OpenCLIPBlock, x: Tensor, stream: Tensor, tokens: HeadTokens) -> Tensor:
        """The model's own image embedding (B, C), at this image size."""
        visual = self.visual
        if visual.attn_pool is None and visual.pool_type == "tok":
            return self.to_text_space(self._ordinary(parts, x, stream, tokens, slice(0, 1)))[:, 0]
        pooled, _ = visual._pool(self._ordinary(parts, x, stream, tokens, slice(None)))
        return pooled if visual.proj is None else pooled @ visual.proj

    def _capture(self, parts: OpenCLIPBlock, x: Tensor, stream: Tensor, tokens: HeadTokens, options: dict) -> dict:
        grid, extras = tokens.grid, {}
        for name in self.capture:
            if name in ("q", "k", "v"):
                extras[name] = heads_to_map(getattr(tokens, name), grid, prefix=1)
            elif name in ("q_out", "k_out", "v_out"):
                rows = getattr(tokens, name[0]).transpose(1, 2).flatten(2)[:, 1:]
                extras[name] = to_map(parts.project(rows), grid)
            elif name == "attention":
                extras[name] = attention_map(self.variant, tokens, **options)
            elif name == "vanilla_cls":
                extras[name] = self.to_text_space(self._ordinary(parts, x, stream, tokens, slice(0, 1)))[:, 0]
            elif name in ("vanilla", "vanilla_normed"):
                rows = self._ordinary(parts, x, stream, tokens, slice(1, None))
                rows = self.to_text_space(rows) if name == "vanilla" else self.visual.ln_post(rows)
                extras[name] = to_map(rows, grid)
            else:
                extras[name] = {
                    "input": lambda: to_map(x[:, 1:], grid),
                    "input_cls": lambda: x[:, 0],
                    "tokens": lambda: to_map(stream[:, 1:], grid),
                    "cls": lambda: stream[:, 0],
                    "prefix": lambda: stream[:, :1],
                    "normed": lambda: to_map(self.visual.ln_post(stream[:, 1:]), grid),
                    "dense_cls": lambda: self.to_text_space(stream[:, :1])[:, 0],
                }[name]()
        return extras


def check_supported(visual: nn.Module, name: str) -> None:
    """ValueError, with the reason, for vision configs whose patch tokens have no place in the text space."""
    if visual.patch_size[0] != visual.patch_size[1]:
        raise ValueError(f"{name}: patches must be square to have one stride, got {visual.patch_size}")
    if visual.attn_pool is not None and visual.attn_pool_contrastive is not None:
        raise ValueError(
            f"{name}: attentional_pool={visual.attn_pool_type!r} pools twice and open_clip calls it untested; "
            "only attentional_pool=True (the published CoCa models) is supported"
        )
    if visual.pool_type == "none":
        raise ValueError(f"{name}: pool_type='none' has no image embedding, so nothing ties its tokens to text")


def pool_single_tokens(pool: nn.Module, tokens: Tensor) -> Tensor:
    """What an attention pooler (CoCa) gives for each token by itself: its value, projected, (B,N,D) -> (B,N,D').

    With one token the attention weight is 1 whatever the query, so this equals the pooler on a one-token image.
    """
    attn, y = pool.attn, pool.ln_k(tokens)
    width = attn.embed_dim
    weight = attn.in_proj_weight[2 * width :] if attn.v_proj_weight is None else attn.v_proj_weight
    return attn.out_proj(F.linear(y, weight, attn.in_proj_bias[2 * width :]))


def override_activation(module: nn.Module, act: str | None) -> None:
    """Puts another activation into every MLP of an open_clip transformer; None leaves the model's own."""
    if act is None:
        return
    if act not in ACTIVATIONS:
        raise ValueError(f"act must be one of {sorted(ACTIVATIONS)} or None, got {act!r}")
    for block in module.transformer.resblocks:
        block.mlp.gelu = ACTIVATIONS[act]()


def override_eps(module: nn.Module, ln_eps: float | None) -> None:
    """Sets the epsilon of every layer norm; None leaves the model's own."""
    if ln_eps is not None:
        for layer in module.modules():
            if isinstance(layer, nn.LayerNorm):
                layer.eps = ln_eps
