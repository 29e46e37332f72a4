"""Weights of EVA-CLIP's own code (also CLIPSelf's) by the names that timm and open_clip use."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

RENAMED = (
    ("mlp.ffn_ln.", "mlp.norm."),
    ("attn.inner_attn_ln.", "attn.norm."),
    ("mlp.w1.", "mlp.fc1_g."),
    ("mlp.w2.", "mlp.fc1_x."),
    ("mlp.w3.", "mlp.fc2."),
)


def is_eva_layout(tensors: Mapping[str, Tensor]) -> bool:
    """True for a state dict of EVA-CLIP's own code."""
    return "visual.pos_embed" in tensors and any(name.startswith("visual.blocks.") for name in tensors)


def from_eva_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """EVA-CLIP's names to timm's inside open_clip (``visual.trunk.*``); the text tower's pass.

    Rotary tables are left out: they follow from the grid, and the official ones are of one size.
    """
    separate = any(name.endswith("attn.q_proj.weight") for name in tensors)
    renamed = {}
    for name, tensor in tensors.items():
        if not name.startswith("visual."):
            renamed[name] = tensor
            continue
        if ".rope." in name:
            continue
        for old, new in RENAMED:
            name = name.replace(old, new)
        if separate:
            name = name.replace("attn.q_bias", "attn.q_proj.bias").replace("attn.v_bias", "attn.v_proj.bias")
        renamed[name.replace("visual.", "visual.trunk.", 1)] = tensor
    return renamed
