"""TransformerBackbone: what ViTs of every library share, the last-block variants above all.

Shapes: B images, T = P + h * w tokens (class and register tokens first), D channels, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

import ovdense.functional.attention_resclip
import ovdense.functional.attention_scclip  # noqa: F401  (variants that register themselves)
from ovdense.functional.attention import (
    AttentionVariant,
    HeadTokens,
    attention_map,
    get_attention_variant,
    usual_block,
    vanilla,
)
from ovdense.functional.attention_override import attention_weights
from ovdense.functional.correlation import PatchAttention
from ovdense.functional.position import POSITION_MODES
from ovdense.models.backbones.base import DenseBackbone, heads_to_map, to_map
from ovdense.models.backbones.blocks import BlockParts, apply_variant
from ovdense.models.backbones.mask_prompts import MaskPrompts
from ovdense.models.backbones.overrides import OverriddenAttention
from ovdense.structures import DenseFeatures

PROJECTED = {"q_out": "q", "k_out": "k", "v_out": "v"}
ORDINARY = ("vanilla", "vanilla_cls", "vanilla_normed")


@dataclass(frozen=True)
class LastBlock:
    """What the last block saw and gave: its parts, input (B, T, D), output (B, T, D), heads, and variant options."""

    parts: BlockParts
    x: Tensor
    stream: Tensor
    tokens: HeadTokens
    options: dict


class TransformerBackbone(OverriddenAttention, DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures of a stack of transformer blocks; a subclass supplies the trunk.

    Args:
        attention: last-block variant, one of ``functional.attention.ATTENTION_VARIANTS``.
        attention_options: keyword arguments of the variant (``std``, ``iterations``, ``depth``, ...).
        residual: add the block's input; None = as the variant's paper does.
        mlp: run the block's MLP; None = as the variant's paper does.
        position: how the position table is resized, one of ``functional.position.POSITION_MODES``.
        out_indices: blocks whose patch tokens become ``maps``; the last block gives those of the variant.
        mlp_input_block: the block whose MLP input ``capture=("mlp_input",)`` gives; CLIP-DINOiser reads the third last.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``.
    """

    prefix = 1
    captures = (
        *("q", "k", "v", *PROJECTED, "attention", "input", "input_cls", "tokens", "cls", "prefix"),
        *("normed", "dense_cls", "mlp_input", *ORDINARY, "block_input", "recorded", "cls_logits", "images", "stages"),
    )

    def __init__(
        self,
        *,
        attention: str,
        attention_options: dict | None = None,
        residual: bool | None = None,
        mlp: bool | None = None,
        position: str = "sclip",
        out_indices: Sequence[int] = (),
        mlp_input_block: int = -3,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if position not in POSITION_MODES:
            raise ValueError(f"position must be one of {sorted(POSITION_MODES)}, got {position!r}")
        self.variant = get_attention_variant(attention)
        self.attention_options = dict(attention_options or {})
        self.residual = self.variant.residual if residual is None else residual
        self.mlp = self.variant.mlp if mlp is None else mlp
        self.position, self.out_indices, self.mlp_input_block = position, tuple(out_indices), mlp_input_block

    def _finish_init(self) -> None:
        """To be called by a subclass once the trunk is in place."""
        count = len(self.blocks())
        first_replaced = count - self._depth(self.attention_options)
        if "mlp_input" in self.capture and not -count <= self.mlp_input_block < first_replaced - count:
            raise ValueError(
                f"mlp_input_block must count from the end and lie before the replaced blocks: {-count} to "
                f"{first_replaced - count - 1} for {self.name}, got {self.mlp_input_block}"
            )
        if any(not -count <= index < count for index in self.out_indices):
            raise ValueError(f"out_indices must name blocks 0 to {count - 1} of {self.name}, got {self.out_indices}")
        self.out_indices = tuple(index % count for index in self.out_indices)
        self._depth(self.attention_options)
        self._check_variant(count)
        self._freeze()

    # what a subclass supplies

    def blocks(self) -> Sequence[nn.Module]:
        """The blocks, in order."""
        raise NotImplementedError

    def parts(self, block: nn.Module) -> BlockParts:
        """The adapter of a block."""
        raise NotImplementedError

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int], object]:
        """(tokens that enter the first block, patch grid, rotary embedding or None)."""
        raise NotImplementedError

    def embed_masked(self, images: Tensor, masks: Tensor) -> tuple[Tensor, tuple[int, int], object, MaskPrompts]:
        """``embed`` with prompts where the masks (B, 1, H, W) show nothing, and the prompts."""
        raise ValueError(f"{type(self).__name__} has no mask prompts: masks of crops need a CLIPViT")

    def final_norm(self, tokens: Tensor) -> Tensor:
        """The norm after the last block, (B, N, D) -> (B, N, D)."""
        raise NotImplementedError

    def to_text_space(self, tokens: Tensor) -> Tensor | None:
        """Tokens that left the last block to the text space, (B, N, D) -> (B, N, C)."""
        raise NotImplementedError

    def global_rows(self) -> slice:
        """Rows of the last block's ordinary output that ``pool`` reads."""
        return slice(0, 1)

    def pool(self, tokens: Tensor) -> Tensor:
        """The model's own image embedding from those rows, (B, N, D) -> (B, C)."""
        return self.to_text_space(tokens)[:, 0]

    def collect_maps(self, maps: dict[int, Tensor], last: LastBlock) -> tuple[Tensor, ...]:
        """``maps`` from the patch tokens that left the blocks of ``out_indices``."""
        return tuple(maps[index] for index in self.out_indices)

    # the shared part

    def encode(self, images: Tensor, masks: Tensor | None = None, **options) -> DenseFeatures:
        prompts, options = None, {**self.attention_options, **options}
        if masks is None:
            x, grid, rope = self.embed(images)
        else:
            x, grid, rope, prompts = self.embed_masked(images, masks)
        with self._watch_mlp_input() as seen:
            last = self._run_blocks(x, grid, rope, options, maps := {}, prompts, stages := [])
        return self._features(last, maps, images, seen, stages)

    def patch_attention(self, images: Tensor) -> PatchAttention:
        """What the last block's patches attend by, (B, 3, H, W) of whole cells; class and register tokens are keys."""
        x, grid, rope = self.embed(images)
        tokens = self._run_blocks(x, grid, rope, self.attention_options, {}).tokens
        if tokens.q is None:
            raise ValueError(f"attention={self.variant.name!r} has no queries and keys: use attention='vanilla'")
        patches = slice(self.prefix, None)
        places = torch.arange(self.prefix, tokens.k.shape[2], device=x.device)
        return PatchAttention(tokens.q[:, :, patches] * tokens.scale, tokens.k, tokens.v[:, :, patches], places, grid)

    def rerun_last(self, features: DenseFeatures, **options) -> Tensor:
        """``dense`` (B, C, h, w) of the last block run once more with other options of the variant (ResCLIP).

        ``features`` must hold the extras ``block_input`` and, for variants that record attention, ``recorded``.
        """
        names = ("block_input", "recorded") if self.variant.recorded else ("block_input",)
        missing = [name for name in names if name not in features.extras]
        if missing:
            raise ValueError(f"running the last block again needs backbone=dict(capture={names}), missing: {missing}")
        x, parts = features.extras["block_input"], self.parts(self.blocks()[-1])
        tokens = parts.split(x, features.grid, self.prefix, self.variant.needs_qk, self.rope(features.grid))
        options = {**self.attention_options, **options}
        if self.variant.recorded:
            options["recorded"] = features.extras["recorded"]
        context = self.variant.function(tokens, **options)
        base = self.variant.residual_of(x)
        stream = apply_variant(parts, base, context, tokens, residual=self.residual, mlp=self.mlp)
        return to_map(self.to_text_space(stream[:, self.prefix :]), features.grid)

    def _features(
        self,
        last: LastBlock,
        maps: dict[int, Tensor],
        images: Tensor,
        seen: Sequence[Tensor] = (),
        stages: Sequence[Tensor] = (),
    ) -> DenseFeatures:
        grid = last.tokens.grid

        def extra(name: str) -> Tensor:
            if name in ("images", "stages"):
                return images if name == "images" else torch.stack(stages, dim=1)
            return to_map(seen[-1][:, self.prefix :], grid) if name == "mlp_input" else self._field(name, last)

        dense = self.to_text_space(last.stream[:, self.prefix :])
        return DenseFeatures(
            dense=None if dense is None else to_map(dense, grid),
            global_embedding=self.pool(self._ordinary(last, self.global_rows())) if self.with_global else None,
            maps=self.collect_maps(maps, last),
            extras={name: extra(name) for name in self.capture},
        )

    @contextmanager
    def _watch_mlp_input(self) -> Iterator[list[Tensor]]:
        """Collects what the norm before one block's MLP gives, (B, T, D), where that is asked for."""
        seen: list[Tensor] = []
        if "mlp_input" not in self.capture:
            yield seen
            return
        norm = self.parts(self.blocks()[self.mlp_input_block]).mlp_norm
        handle = norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
        try:
            yield seen
        finally:
            handle.remove()

    def _run_blocks(
        self,
        x: Tensor,
        grid: tuple[int, int],
        rope,
        options: dict,
        maps: dict[int, Tensor],
        prompts: MaskPrompts | None = None,
        stages: list[Tensor] | None = None,
    ) -> LastBlock:
        blocks, stages = self.blocks(), [] if stages is None else stages
        first = len(blocks) - self._depth(options)
        recorded = _recorded_blocks(self.variant, options, len(blocks))
        hidden, attention = [], []
        for index, block in enumerate(blocks[:first]):
            if index in recorded:
                x, weights = self._recorded_block(self.parts(block), x, grid, rope)
                attention.append(weights)
            else:
                x = self.parts(block).forward(x, rope)
            if index in self.out_indices:
                maps[index] = to_map(x[:, self.prefix :], grid)
                stages.append(x)
            if self.variant.tail is not None:
                hidden.append(x)
            if prompts is not None:
                x = prompts.replace_after(self.prefix, x, index + 1)
        if attention:
            options = {**options, "recorded": torch.stack(attention).mean(dim=0)}
        if self.variant.tail is not None:
            return self._run_tail(hidden, grid, rope, options, maps)

        ordinary = stream = x
        for index, block in enumerate(blocks[first:], start=first):
            x, parts = ordinary, self.parts(block)
            tokens = parts.split(x, grid, self.prefix, self.variant.needs_qk or self._wants_qk(), rope)
            context = self.variant.function(tokens, **options)
            base = self.variant.residual_of(stream)
            stream = apply_variant(parts, base, context, tokens, residual=self.residual, mlp=self.mlp)
            if index < len(blocks) - 1:
                ordinary = apply_variant(parts, x, vanilla(tokens), tokens, residual=True, mlp=True)
            if index in self.out_indices:
                maps[index] = to_map(stream[:, self.prefix :], grid)
                stages.append(stream)
        return LastBlock(parts, x, stream, tokens, options)

    def _recorded_block(self, parts: BlockParts, x: Tensor, grid: tuple[int, int], rope) -> tuple[Tensor, Tensor]:
        """A block as it is, and its attention weights (B, H, T, T)."""
        tokens = parts.split(x, grid, self.prefix, rope=rope)
        weights = attention_weights(tokens)
        return apply_variant(parts, x, weights @ tokens.v, tokens, residual=True, mlp=True), weights

    def _run_tail(
        self, hidden: list[Tensor], grid: tuple[int, int], rope, options: dict, maps: dict[int, Tensor]
    ) -> LastBlock:
        """The last block as the variant's ``tail`` uses it; class and register tokens leave it as they entered."""
        x, last = hidden[-1], len(hidden)
        parts = self.parts(self.blocks()[last])

        def last_block(patches: Tensor, **kwargs) -> Tensor:
            tokens = parts.split(patches, grid, 0, self.variant.needs_qk, rope)
            context = self.variant.function(tokens, **kwargs)
            return apply_variant(parts, patches, context, tokens, residual=self.residual, mlp=self.mlp)

        patches = self.variant.tail(hidden, grid, self.prefix, last_block, **options)
        stream = torch.cat([x[:, : self.prefix], patches], dim=1)
        if last in self.out_indices:
            maps[last] = to_map(patches, grid)
        return LastBlock(parts, x, stream, parts.split(x, grid, self.prefix, self._wants_qk(), rope), options)

    def _check_variant(self, count: int) -> None:
        """ValueError for what the variant cannot do on this trunk."""
        if self.variant.tail is not None and "attention" in self.capture:
            raise ValueError(
                f"attention={self.variant.name!r} attends several times: there is no single one to capture"
            )
        blocks = _recorded_blocks(self.variant, self.attention_options, count)
        if any(not 0 <= index < count - 1 for index in blocks):
            raise ValueError(
                f"{self.variant.name} reads the attention of the blocks {tuple(blocks)}, but {self.name} has only "
                f"0 to {count - 2} before its last: set attention_options=dict(blocks=(...))"
            )
        if "recorded" in self.capture and not blocks:
            raise ValueError(f"attention={self.variant.name!r} records no attention, got capture='recorded'")

    def rope(self, grid: tuple[int, int]) -> Tensor | None:
        """The trunk's rotary embedding of a grid; None without."""
        return None

    def _depth(self, options: dict) -> int:
        """Number of blocks at the end that the variant replaces: 1, or GEM's depth - 1."""
        if self.variant.streams == 1:
            return 1
        count = len(self.blocks())
        depth = options.get("depth")
        depth = min(7, count + 1) if depth is None else depth
        if not 2 <= depth <= count + 1:
            raise ValueError(f"depth of {self.variant.name} must be 2 to {count + 1} for {count} blocks, got {depth}")
        return depth - 1

    def _wants_qk(self) -> bool:
        """True when queries and keys are needed beside the variant's own use of them."""
        return self.with_global or bool({"q", "k", "q_out", "k_out", *ORDINARY}.intersection(self.capture))

    def _ordinary(self, last: LastBlock, rows: slice) -> Tensor:
        """Some rows of the last block's output as it was trained; only those rows are computed."""
        if self.variant.name == "vanilla" and self.residual and self.mlp:
            return last.stream[:, rows]
        tokens = replace(last.tokens, q=last.tokens.q[:, :, rows], inputs=last.tokens.inputs[:, rows])
        return apply_variant(last.parts, last.x[:, rows], vanilla(tokens), tokens, residual=True, mlp=True)

    def _field(self, name: str, last: LastBlock) -> Tensor:
        """One entry of ``extras``, see ``base``."""
        tokens, patches = last.tokens, slice(self.prefix, None)
        grid = tokens.grid
        if name in ("q", "k", "v"):
            return heads_to_map(getattr(tokens, name), grid, self.prefix)
        if name in PROJECTED:
            rows = getattr(tokens, PROJECTED[name])[:, :, patches]
            return to_map(last.parts.project(rows.transpose(1, 2).flatten(2)), grid)
        if name == "attention":
            return attention_map(self.variant, tokens, **last.options)
        if name in ("input", "tokens"):
            return to_map((last.x if name == "input" else last.stream)[:, patches], grid)
        if name in ("input_cls", "cls", "prefix"):
            leading = (last.x if name == "input_cls" else last.stream)[:, : self.prefix]
            return leading if name == "prefix" else leading[:, 0]
        if name == "block_input":
            return last.x
        if name == "recorded":
            return last.options["recorded"]
        if name == "cls_logits":
            # Before the rotary embedding, if there is one: Talk2DINO hooks the input projection.
            raw = last.parts.split(last.x, grid, self.prefix)
            logits = (raw.q[:, :, :1] @ raw.k[:, :, patches].transpose(-2, -1)).squeeze(2)
            return logits.unflatten(2, grid)
        if name == "normed":
            return to_map(self.final_norm(last.stream[:, patches]), grid)
        if name == "dense_cls":
            return self.to_text_space(last.stream[:, :1])[:, 0]
        if name == "vanilla_cls":
            return self.to_text_space(self._ordinary(last, slice(0, 1)))[:, 0]
        rows = self._ordinary(last, patches)
        return to_map(self.to_text_space(rows) if name == "vanilla" else self.final_norm(rows), grid)


def _recorded_blocks(variant: AttentionVariant, options: dict, count: int) -> tuple[int, ...]:
    """Blocks, of ``count``, whose attention a variant asks for."""
    usual = dict.fromkeys(usual_block(index, count - 1) for index in variant.recorded)
    return tuple(options.get("blocks", usual)) if variant.recorded else ()
