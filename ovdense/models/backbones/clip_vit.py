"""CLIPViT: open_clip's own VisionTransformer (OpenAI, LAION, DataComp, DFN, MetaCLIP 1 and 2, CLIPA, CoCa, ...).

Shapes: B images, T = 1 + h * w tokens (class token first), D channels, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovdense.functional.position import resize_position_table
from ovdense.models.backbones.alpha_channel import alpha_convolution, normalised_alpha
from ovdense.models.backbones.base import pad_to_cells
from ovdense.models.backbones.blocks import OpenCLIPBlock
from ovdense.models.backbones.fine_tuning import tune_tower
from ovdense.models.backbones.mask_prompts import MaskPrompts, random_prompts
from ovdense.models.backbones.open_clip_loader import MASK_EMBEDDING, LoadedCLIP, Pretrained, load_clip
from ovdense.models.backbones.transformer import TransformerBackbone
from ovdense.registry import MODELS


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation that OpenAI's weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"gelu": nn.GELU, "quickgelu": QuickGELU}


@MODELS.register_module()
class CLIPViT(TransformerBackbone):
    """(B, 3, H, W) -> DenseFeatures of a native open_clip ViT, its last block replaced by a dense variant.

    Args:
        model: open_clip name, embedded model, or a config dict (see ``open_clip_loader.load_clip``).
        pretrained: tag, local file, state dict or None.
        attention: last-block variant, one of ``functional.attention.ATTENTION_VARIANTS``.
        act: ``gelu``, ``quickgelu`` or None for what the weights were trained with. The official MaskCLIP runs
            OpenAI weights with ``gelu`` and ``ln_eps=1e-6``.
        ln_eps: epsilon of every layer norm, or None for the model's own.
        mask_prompt_depth: number of blocks, from the first, whose input takes learnt prompts where a mask shows
            nothing (OVSeg); None for what the weights hold. The masks come with the images:
            ``backbone(images, masks=masks)``.
        alpha: a convolution of masks beside that of the picture (Alpha-CLIP); None for what the weights hold, True to
            begin with one that changes nothing. Without ``masks`` the whole picture is meant.
        official_quirks: do not resize the position table when only the number of cells agrees, as the official code.
        finetune: parts of the tower that learn, some of ``q``, ``k``, ``v`` (projections of every block) and
            ``position``; the rest stays frozen. None: as ``frozen`` says.
        class_twice: add the class embedding to its own token once more, as the code of DenseCLIP and ZegCLIP does.
        **kwargs: see ``TransformerBackbone``.
    """

    def __init__(
        self,
        *,
        model: str | dict,
        pretrained: Pretrained = None,
        attention: str = "value",
        act: str | None = None,
        ln_eps: float | None = None,
        mask_prompt_depth: int | None = None,
        alpha: bool | None = None,
        official_quirks: bool = False,
        finetune: Sequence[str] | None = None,
        class_twice: bool = False,
        **kwargs,
    ) -> None:
        if finetune:
            kwargs["frozen"] = False
        super().__init__(attention=attention, **kwargs)
        loaded = load_clip(model, pretrained)
        visual = loaded.visual
        check_supported(visual, loaded.name)
        override_activation(visual, act)
        override_eps(visual, ln_eps)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.logit_scale = min(loaded.logit_scale, 100.0)
        self.stride, self.official_quirks = visual.patch_size[0], official_quirks
        self.visual, self.class_twice = visual, class_twice
        tables = prompt_tables(loaded, mask_prompt_depth)
        self.mask_embedding = None if tables is None else nn.Parameter(tables)
        self._check_prompts()
        self.alpha_conv = alpha_convolution(loaded, alpha)
        if finetune:
            tune_tower(visual, finetune)
        self._finish_init()

    def blocks(self) -> nn.ModuleList:
        return self.visual.transformer.resblocks

    def parts(self, block: nn.Module) -> OpenCLIPBlock:
        return OpenCLIPBlock(block)

    def _check_prompts(self) -> None:
        """ValueError for prompts that would enter blocks which the attention variant replaces in its own way."""
        depth = 0 if self.mask_embedding is None else len(self.mask_embedding)
        ordinary = len(self.blocks()) if self.variant.tail is None and self.variant.streams == 1 else 0
        if depth > ordinary:
            raise ValueError(
                f"mask prompts enter at most the {ordinary} blocks of {self.name} with attention="
                f"{self.variant.name!r}, got mask_prompt_depth={depth}"
            )

    @property
    def takes_masks(self) -> bool:
        """Whether ``masks`` of what is meant may come with the images: mask prompts, or Alpha-CLIP's channel."""
        return self.mask_embedding is not None or self.alpha_conv is not None

    def embed_masked(self, images: Tensor, masks: Tensor) -> tuple[Tensor, tuple[int, int], None, MaskPrompts | None]:
        if not self.takes_masks:
            raise ValueError(
                f"{self.name} has no mask prompts and no alpha channel: set mask_prompt_depth or alpha, or leave the "
                "masks out"
            )
        masks = masks.reshape(len(masks), 1, *masks.shape[-2:])
        if len(masks) != len(images):
            raise ValueError(f"got {len(masks)} masks for {len(images)} crops")
        masks, _ = pad_to_cells(masks.to(images), self.stride, self.padding)
        if masks.shape[-2:] != images.shape[-2:]:
            raise ValueError(
                f"masks must be of the crops' size, got {tuple(masks.shape[-2:])} and {tuple(images.shape[-2:])}"
            )
        if self.mask_embedding is None:
            return *self.embed(images, masks=masks), None
        grid = tuple(side // self.stride for side in images.shape[-2:])
        prompts = MaskPrompts.of(self.mask_embedding, masks, self.stride, grid, self.position)
        return *self.embed(images, prompts, masks), prompts

    def embed(
        self, images: Tensor, prompts: MaskPrompts | None = None, masks: Tensor | None = None
    ) -> tuple[Tensor, tuple[int, int], None]:
        visual = self.visual
        patches = visual.conv1(images)
        if self.alpha_conv is not None:
            patches = patches + self.alpha_conv(normalised_alpha(images, masks))
        grid = (patches.shape[-2], patches.shape[-1])
        table = resize_position_table(
            visual.positional_embedding,
            grid,
            self.position,
            table_grid=visual.grid_size,
            official_quirks=self.official_quirks,
        )
        class_token = (1 + self.class_twice) * visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        patches = patches.flatten(2).transpose(1, 2)
        if prompts is not None:
            patches = prompts.replace(patches, 0)
        x = torch.cat([class_token, patches], dim=1) + table.to(patches.dtype)
        return visual.ln_pre(visual.patch_dropout(x)), grid, None

    def final_norm(self, tokens: Tensor) -> Tensor:
        return self.visual.ln_post(tokens)

    def to_text_space(self, tokens: Tensor) -> Tensor:
        visual = self.visual
        if visual.attn_pool is not None:
            tokens = pool_single_tokens(visual.attn_pool, tokens)
        tokens = visual.ln_post(tokens)
        return tokens if visual.proj is None else tokens @ visual.proj

    def global_rows(self) -> slice:
        reads_class_token = self.visual.attn_pool is None and self.visual.pool_type == "tok"
        return slice(0, 1) if reads_class_token else slice(None)

    def pool(self, tokens: Tensor) -> Tensor:
        pooled, _ = self.visual._pool(tokens)
        return pooled if self.visual.proj is None else pooled @ self.visual.proj


def prompt_tables(loaded: LoadedCLIP, depth: int | None) -> Tensor | None:
    """Mask prompts (M, g * g, D) of a model's weights, random ones where it has none, or None for a depth of 0."""
    held = (loaded.tensors or {}).get(MASK_EMBEDDING)
    if depth == 0 or (depth is None and held is None):
        return None
    cells, channels = loaded.visual.grid_size[0] * loaded.visual.grid_size[1], loaded.visual.conv1.out_channels
    if held is None:
        return random_prompts(depth, cells, channels)
    if held.ndim != 3 or depth not in (None, len(held)) or tuple(held.shape[1:]) != (cells, channels):
        raise ValueError(
            f"{loaded.source}: mask prompts for {loaded.name} are (mask_prompt_depth, {cells}, {channels}), got "
            f"{tuple(held.shape)} and mask_prompt_depth={depth}"
        )
    return held.detach().clone().float()


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
