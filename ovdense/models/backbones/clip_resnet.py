"""CLIPResNet: the ModifiedResNet image tower of OpenAI's CLIP (RN50, RN101, RN50x4, x16, x64).

Its attention pool averages values over the last stage and projects them, so the same projections as 1 x 1 convolutions
put every position into the text space (MaskCLIP, arXiv 2112.01071).

Shapes: B images, T = 1 + h * w tokens (mean token first), D channels of the last stage, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, nn

from ovdense.functional.attention import HeadTokens, attention_map, get_attention_variant, vanilla
from ovdense.functional.mask_pooling import masks_on_grid
from ovdense.functional.position import POSITION_MODES, resize_position_table
from ovdense.models.backbones.base import DenseBackbone, heads_to_map, to_map
from ovdense.models.backbones.blocks import merge_heads, split_heads
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

STRIDES, DILATIONS = (1, 2, 2, 2), (1, 1, 1, 1)


@MODELS.register_module()
class CLIPResNet(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures with the four stage maps (strides 4 to 32) as ``maps``.

    Args:
        model: open_clip name or config dict.
        pretrained: tag, local file, state dict or None.
        attention: ``value`` (MaskCLIP) or another last-block variant over the attention pool's tokens; ``vanilla`` is
            the pool with every position as a query.
        attention_options: keyword arguments of the variant.
        position: add the pool's position table, resized in this mode; None leaves it out, as MaskCLIP does.
        table_side: cells along a side of the pool's position table, which is resized once, bilinear (DenseCLIP's code:
            16 for segmentation, 42 for detection with ``position="crop"``); None keeps the weights' own.
        strides: of the four stages. (1, 2, 1, 1) with dilations (1, 1, 2, 4) gives stride 8 (MaskCLIP+).
        dilations: of the four stages.
        contract_dilation: the first block of a dilated stage takes half its dilation, as in mmseg.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``. ``global_embedding`` is
            the plain CLIP embedding, its position table resized, when strides and dilations are the default.
    """

    pooling_needs_pixels = True
    captures = ("q", "k", "v", "attention", "layer4", "dense_cls")

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        attention: str = "value",
        attention_options: dict | None = None,
        position: str | None = None,
        table_side: int | None = None,
        strides: Sequence[int] = STRIDES,
        dilations: Sequence[int] = DILATIONS,
        contract_dilation: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if position is not None and position not in (*POSITION_MODES, "crop"):
            raise ValueError(f"position must be None or one of {sorted((*POSITION_MODES, 'crop'))}, got {position!r}")
        self.variant = get_attention_variant(attention)
        if self.variant.streams > 1 or self.variant.tail is not None or self.variant.recorded:
            raise ValueError(f"a ResNet has one attention layer, but {attention!r} needs a stack of them")
        self.attention_options, self.position = dict(attention_options or {}), position

        loaded = load_clip(model, pretrained)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.logit_scale = min(loaded.logit_scale, 100.0)
        self.visual = loaded.visual
        if table_side is not None:
            table = self.visual.attnpool.positional_embedding
            resized = resize_position_table(table.detach(), (table_side, table_side), "bilinear")
            self.visual.attnpool.positional_embedding = nn.Parameter(resized.clone())
        if len(strides) != 4 or len(dilations) != 4 or set(strides) - {1, 2}:
            raise ValueError(f"a ResNet has 4 stages of stride 1 or 2, got strides {strides}, dilations {dilations}")
        for stage, default, stride, dilation in zip(self._stages(), STRIDES, strides, dilations):
            set_stride(stage, default, stride)
            set_dilation(stage, dilation, contract_dilation)
        self.stride = 4 * prod(strides)
        self._freeze()

    def _stages(self) -> list[nn.Sequential]:
        return [self.visual.layer1, self.visual.layer2, self.visual.layer3, self.visual.layer4]

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        options = {**self.attention_options, **options}
        x, maps = self.visual.stem(images), []
        for stage in self._stages():
            x = stage(x)
            maps.append(x)
        grid = (x.shape[-2], x.shape[-1])
        tokens = self._tokens(x, self.position)
        rows = self.visual.attnpool.c_proj(merge_heads(self.variant.function(tokens, **options)))
        return DenseFeatures(
            dense=to_map(rows[:, 1:], grid),
            global_embedding=self._global_embedding(x) if self.with_global else None,
            maps=tuple(maps),
            extras=self._capture(x, rows, tokens, options),
        )

    def _tokens(self, x: Tensor, position: str | None) -> HeadTokens:
        """The pool's tokens, mean first, projected: (B, D, h, w) -> queries, keys and values in heads."""
        pool, grid = self.visual.attnpool, (x.shape[-2], x.shape[-1])
        rows = x.flatten(2).transpose(1, 2)
        rows = torch.cat([rows.mean(dim=1, keepdim=True), rows], dim=1)
        if position is not None:
            rows = rows + resize_position_table(pool.positional_embedding, grid, position).to(rows.dtype)
        q, k, v = (split_heads(layer(rows), pool.num_heads) for layer in (pool.q_proj, pool.k_proj, pool.v_proj))
        return HeadTokens(q=q, k=k, v=v, grid=grid, scale=v.shape[-1] ** -0.5, inputs=rows)

    def _global_embedding(self, x: Tensor) -> Tensor:
        """CLIP's own image embedding (B, C): the mean token as the only query, position table on."""
        tokens = self._tokens(x, self.position or "sclip")
        pooled = vanilla(replace(tokens, q=tokens.q[:, :, :1]))
        return self.visual.attnpool.c_proj(merge_heads(pooled))[:, 0]

    def embed_masks(self, features: DenseFeatures, mask_logits: Tensor) -> Tensor:
        """Embeddings (B, Q, C) of mask proposals: CLIP's pool, its mean token attending to each mask's cells (FC-CLIP).

        A mask without a cell attends to all of them, which says nothing about it (``pooling_needs_pixels``).
        """
        x = features.maps[-1]
        masks = masks_on_grid(mask_logits, tuple(x.shape[-2:])).flatten(2)
        masks = masks | ~masks.any(dim=2, keepdim=True)
        tokens = self._tokens(x, "bilinear")
        weights = (tokens.scale * tokens.q[:, :, :1]) @ tokens.k[:, :, 1:].transpose(2, 3)  # (B, heads, 1, h*w)
        weights = weights.masked_fill(~masks[:, None], -torch.inf).softmax(dim=-1)  # (B, heads, Q, h*w)
        return self.visual.attnpool.c_proj(merge_heads(weights @ tokens.v[:, :, 1:]))

    def _capture(self, x: Tensor, rows: Tensor, tokens: HeadTokens, options: dict) -> dict[str, Tensor]:
        fields = {name: lambda name=name: heads_to_map(getattr(tokens, name), tokens.grid, 1) for name in "qkv"}
        fields["attention"] = lambda: attention_map(self.variant, tokens, **options)
        fields["layer4"] = lambda: x
        fields["dense_cls"] = lambda: rows[:, 0]
        return {name: fields[name]() for name in self.capture}


def set_stride(stage: nn.Sequential, default: int, stride: int) -> None:
    """Another stride for a stage, whose first block pools after its 3 x 3 convolution and before its shortcut."""
    if stride == default:
        return
    if default == 1:
        raise ValueError(f"the first stage of a ModifiedResNet has stride 1, got {stride}")
    block = stage[0]
    block.avgpool = nn.Identity()
    block.downsample[0] = nn.Identity()


def set_dilation(stage: nn.Sequential, dilation: int, contract: bool) -> None:
    """Another dilation for the 3 x 3 convolutions of a stage; weights stay."""
    for index, block in enumerate(stage):
        first = index == 0 and contract and dilation > 1
        block.conv2.dilation = block.conv2.padding = (dilation // 2 if first else dilation,) * 2
