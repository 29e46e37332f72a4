"""Mask-Adapter: activation maps of masks on a CLIP map, and what they pool."""

from __future__ import annotations

from functools import cached_property

import torch
from safetensors.torch import load_file

from adapters.base import Adapter
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.mask_checkpoints import ADAPTER, MASK_ADAPTER_MODULE_RULES, rename
from ovdense.models.mask_heads import MaskAdapter
from ovdense.models.mask_heads.mask_adapter import activation_weights, pool_by_maps


class MaskAdapterAdapter(Adapter):
    methods = ("maskadapter", "mask_adapter")
    inputs = r"dense|feat|mask"

    def needs_image(self, point: str) -> bool:
        return False

    @cached_property
    @torch.no_grad()
    def found(self) -> dict[str, torch.Tensor]:
        tensors = {f"mask_adapter.{name}": value for name, value in load_file(self.case.weights).items()}
        renamed = rename(tensors, MASK_ADAPTER_MODULE_RULES)[0]
        state = {name.removeprefix(ADAPTER): value for name, value in renamed.items()}
        width, clip_dim = state["fuse.weight"].shape[:2]
        model = MaskAdapter(
            clip_dim=clip_dim,
            mask_channels=state["mask_embed.3.weight"].shape[0],
            width=width,
            num_maps=state["maps.weight"].shape[0],
        )
        load_strictly(model, state, self.case.name)
        inputs = self.case.tensors
        maps = model.eval()(inputs["dense"], inputs["mask"])
        pooled = pool_by_maps(inputs["feat"], maps)
        return dict(
            maps=maps.flatten(1, 2),
            weights=activation_weights(maps).flatten(1, 2),
            pooled_per_map=pooled,
            pooled_mean=pooled.unflatten(1, (-1, model.num_maps)).mean(dim=2),
        )

    def derive(self, point):
        return self.found.get(point)
