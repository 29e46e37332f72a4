"""CorrCLIPBackbone: CLIP's values averaged inside region masks, with two more branches. CorrCLIP (arXiv 2411.10086).

Shapes: B windows, D channels of a CLIP token, P channels of the proxy, h x w CLIP grid of N cells, h' x w' proxy grid
of M cells, R regions of a window, C channels of the text space.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ovdense.functional.attention import HeadTokens, patch_affinity, vanilla
from ovdense.functional.region_scope import (
    PADDING,
    SAMPLING,
    UNSEGMENTED_IDS,
    merge_regions,
    region_members,
    resize_regions,
    scope_weights,
)
from ovdense.models.backbones.base import heads_to_map, pad_to_cells, to_map
from ovdense.models.backbones.blocks import BlockParts, apply_variant
from ovdense.models.backbones.proxy import ProxyBackbone
from ovdense.models.region_ids import REMEDY, region_ids, to_input
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CorrCLIPBackbone(ProxyBackbone):
    """(B, 3, H, W) and region masks -> DenseFeatures on the grid of the proxy.

    Three branches are added in the text space: the values of CLIP's last block averaged inside regions by the proxy's
    affinity (main); the same of the mean of earlier blocks' tokens (spatial); and a copy of the class token for every
    region, which sees nothing but its region from the first block on (semantic).

    The masks come with mm metainfo as ``region_ids`` (see ``LoadRegionMasks``, and ``regions`` of the segmentor).

    Args:
        model, pretrained, proxy, proxy_size, proxy_scope, pad_to, clip_options: as in ``ProxyBackbone``; the model
            needs a class token unless ``semantic_weight`` is 0.
        proxy_feature: ``q+k``, the sum of queries and keys of the proxy's last block, or ``last``, its last map.
        spatial_weight: alpha of the paper; 0 leaves the branch out.
        semantic_weight: beta; 0 leaves the branch out.
        spatial_blocks: blocks whose outputs the spatial branch averages, counted from 0; None: see ``spatial_range``.
        residual, mlp: of the last block in the main and spatial branches, which leave both out in the paper; for models
            whose patches mean something only with them.
        temperature: tau, the factor of the affinity inside the softmax.
        merge_eps: regions whose proxy features are that close are merged, see ``merge_regions``; None: never.
        sampling: where a region map is read for a cell, ``center`` or ``corner`` (the official code).
        unsegmented: ``zero``, or ``smallest`` (the official code): the lowest id of every window counts as
            unsegmented, even where it is a region, and padding is a region that may be merged with others.
        official_quirks: ``sampling="corner"``, ``unsegmented="smallest"``, and CLIP's position table as it is when only
            the number of cells agrees.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``. ``proxy`` (B, P, h', w'),
            ``tokens`` (B, D, h', w') of the main branch and ``regions`` (B, h', w') can be captured.
    """

    captures = ("proxy", "tokens", "regions")

    def __init__(
        self,
        *,
        model: str | dict,
        proxy: dict,
        proxy_feature: str = "q+k",
        spatial_weight: float = 1.0,
        semantic_weight: float = 0.5,
        spatial_blocks: Sequence[int] | None = None,
        residual: bool = False,
        mlp: bool = False,
        temperature: float = 4.0,
        merge_eps: float | None = 0.2,
        sampling: str | None = None,
        unsegmented: str | None = None,
        official_quirks: bool = False,
        **kwargs,
    ) -> None:
        sampling = sampling or ("corner" if official_quirks else "center")
        unsegmented = unsegmented or ("smallest" if official_quirks else "zero")
        for name, value, choices in (
            ("proxy_feature", proxy_feature, ("q+k", "last")),
            ("sampling", sampling, tuple(SAMPLING)),
            ("unsegmented", unsegmented, UNSEGMENTED_IDS),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {value!r}")
        if proxy_feature == "q+k":
            proxy = dict(proxy, capture=("q", "k"))
        super().__init__(model=model, proxy=proxy, official_quirks=official_quirks, **kwargs)
        self.proxy_feature, self.sampling, self.unsegmented = proxy_feature, sampling, unsegmented
        self.spatial_weight, self.semantic_weight = spatial_weight, semantic_weight
        self.residual, self.mlp = residual, mlp
        self.temperature, self.merge_eps = temperature, merge_eps
        count = len(self.clip.blocks())
        self.spatial_blocks = tuple(spatial_range(count) if spatial_blocks is None else spatial_blocks)
        if spatial_weight and (not self.spatial_blocks or not set(self.spatial_blocks) <= set(range(count - 1))):
            raise ValueError(
                f"spatial_blocks must name blocks 0 to {count - 2} of {self.clip.name}, which come before its last, "
                f"got {self.spatial_blocks}"
            )
        if semantic_weight and not self.clip.prefix:
            raise ValueError(f"{self.clip.name} has no class token for the semantic branch: set semantic_weight=0")

    def clip_captures(self) -> tuple[str, ...]:
        return ()

    def proxy_maps(self, images: Tensor) -> Tensor:
        features = self.run_proxy(images)
        if self.proxy_feature == "last":
            return features.maps[-1]
        return features.extras["q"] + features.extras["k"]

    def encode(self, images: Tensor, proxy_maps: Tensor | None = None, regions: Tensor | None = None) -> DenseFeatures:
        """Features of images of whole cells.

        Args:
            proxy_maps: (B, P, h', w') of the proxy, if they are known.
            regions: (B, H, W) region ids of the pixels, -1 on padding.
        """
        if regions is None:
            raise ValueError(f"CorrCLIPBackbone takes region masks with the images: {REMEDY}")
        if tuple(regions.shape[-2:]) != tuple(images.shape[-2:]) or len(regions) != len(images):
            raise ValueError(f"regions {tuple(regions.shape)} do not fit images {tuple(images.shape)}")
        proxy_maps = self.proxy_maps(images) if proxy_maps is None else proxy_maps
        fine = tuple(proxy_maps.shape[-2:])
        regions = resize_regions(regions.to(images.device), fine, self.sampling)
        regions = merge_regions(regions, proxy_maps, self.merge_eps, self.unsegmented)
        weights = scope_weights(patch_affinity(proxy_maps), regions, self.temperature).to(images.dtype)

        x, grid, rope = self.clip.embed(images)
        members, index = region_members(resize_regions(regions, grid, self.sampling))
        last, x, spatial, region_tokens = self.run_clip(x, grid, rope, members)
        tokens = self.last_block(last, x, grid, weights, fine)
        dense = self.to_text_space(tokens)
        if self.spatial_weight:
            spatial = self.last_block(last, spatial, grid, weights, fine)
            dense = dense + self.spatial_weight * self.to_text_space(spatial)
        if self.semantic_weight:
            rows = self.clip.to_text_space(region_tokens)
            place = resize_regions(index, fine, self.sampling).flatten(1)
            rows = rows.gather(1, place[..., None].expand(-1, -1, rows.shape[-1]))
            dense = dense + self.semantic_weight * to_map(rows, fine)
        own = {"proxy": proxy_maps, "tokens": tokens, "regions": regions}
        return DenseFeatures(
            dense=dense,
            global_embedding=self.clip.pool(last.forward(x, rope)[:, self.clip.global_rows()])
            if self.with_global
            else None,
            extras={name: own[name] for name in self.capture},
        )

    def run_clip(
        self, x: Tensor, grid: tuple[int, int], rope: Tensor | None, members: Tensor
    ) -> tuple[BlockParts, Tensor, Tensor | None, Tensor | None]:
        """All blocks but the last for the ordinary tokens, all blocks for the regions' class tokens.

        Returns:
            the last block; the tokens (B, T, D) that enter it; their mean over ``spatial_blocks``; the class tokens
            (B, R, D) of the regions that leave the last block.
        """
        blocks = [self.clip.parts(block) for block in self.clip.blocks()]
        spatial, copies = [], None
        if self.semantic_weight:
            copies = x[:, :1].expand(-1, members.shape[1], -1)
            seen = F.pad(members, (self.clip.prefix, 0), value=True)[:, None]
        for number, parts in enumerate(blocks):
            is_last = number == len(blocks) - 1
            if is_last and copies is None:
                break
            tokens = parts.split(x, grid, self.clip.prefix, rope=rope)
            if copies is not None:
                copies = look_at(parts, copies, tokens, seen)
            if not is_last:
                x = apply_variant(parts, x, vanilla(tokens), tokens, residual=True, mlp=True)
                if number in self.spatial_blocks and self.spatial_weight:
                    spatial.append(x)
        return blocks[-1], x, torch.stack(spatial).mean(0) if spatial else None, copies

    def last_block(
        self, parts: BlockParts, x: Tensor, grid: tuple[int, int], weights: Tensor, fine: tuple[int, int]
    ) -> Tensor:
        """The last block for tokens (B, T, D), its values averaged by weights (B, M, M): (B, D, h', w')."""
        prefix = self.clip.prefix
        values = heads_to_map(parts.split(x, grid, prefix, needs_qk=False).v, grid, prefix)
        tokens = self.average(values, weights, fine)
        if self.residual:
            patches = to_map(x[:, prefix:], grid)
            tokens = tokens + F.interpolate(patches, size=fine, mode="bilinear", align_corners=False)
        if self.mlp:
            tokens = to_map(parts.mlp(tokens.flatten(2).transpose(1, 2)), fine)
        return tokens

    def window_inputs(self, images: Tensor, metainfos: Sequence[dict], boxes: Sequence[tuple]) -> dict[str, Tensor]:
        """The region ids (windows, H, W) of all windows, and what ``ProxyBackbone`` gives with them."""
        if len(metainfos) != len(images):
            raise ValueError(f"{len(images)} images came with region masks for {len(metainfos)}: {REMEDY}")
        windows = []
        for meta in metainfos:
            ids = to_input(region_ids(meta), meta, tuple(images.shape[-2:]), self.sampling)
            for x1, y1, x2, y2 in boxes:
                left, top, right, bottom = pad_to_cells(images[:1, :, y1:y2, x1:x2], self.divisor, self.padding)[1]
                windows.append(F.pad(ids[y1:y2, x1:x2], (left, right, top, bottom), value=PADDING))
        inputs = super().window_inputs(images, metainfos, boxes)
        return {**inputs, "regions": torch.stack(windows).to(images.device)}


def look_at(parts: BlockParts, copies: Tensor, tokens: HeadTokens, seen: Tensor) -> Tensor:
    """One block for further queries (B, R, D) that look at some of the ordinary tokens, (B, 1, R, T) bool."""
    own = parts.split(copies, tokens.grid, copies.shape[1])
    context = F.scaled_dot_product_attention(own.q, tokens.k, tokens.v, attn_mask=seen, scale=tokens.scale)
    return apply_variant(parts, copies, context, own, residual=True, mlp=True)


def spatial_range(count: int) -> range:
    """Blocks of the spatial branch for a CLIP of ``count`` blocks: 5-9 of 12, 10-21 of 24, 2-29 of 32.

    The official code takes all from the third to the third last in other models, which must have five blocks or more;
    models below that give all but their last two blocks, or the first.
    """
    first = {12: 5, 24: 10}.get(count, 2 if count >= 5 else 0)
    return range(first, max(count - 2, first + 1))
