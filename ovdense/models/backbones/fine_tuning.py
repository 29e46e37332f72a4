"""Fine-tuning of parts of a CLIP tower: some of its attention projections and its position table.

Shapes: D channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

TUNABLE = ("q", "k", "v", "position")


def tune_tower(tower: nn.Module, parts: Sequence[str]) -> None:
    """Freezes an open_clip ViT or text tower but for ``parts`` of every attention, in place.

    The joint input projection (3 D, D) of a block becomes three (D, D) weights, ``q_proj_weight``, ``k_proj_weight``
    and ``v_proj_weight``, so that an optimizer sees only those that learn; its bias stays joint and frozen.

    Args:
        tower: the image tower or the text tower.
        parts: some of ``q``, ``k``, ``v`` and ``position``.

    Raises:
        ValueError: unknown parts, or a tower without attention blocks of that kind.
    """
    unknown = sorted(set(parts) - set(TUNABLE))
    if unknown or not parts:
        raise ValueError(f"finetune takes some of {TUNABLE}, got {list(parts)}")
    attentions = [module for module in tower.modules() if isinstance(module, nn.MultiheadAttention)]
    if not attentions:
        raise ValueError(f"finetune takes open_clip's own transformers, got {type(tower).__name__} without attention")
    tower.requires_grad_(False)
    for attention in attentions:
        split_projections(attention)
        for name in set(parts) - {"position"}:
            getattr(attention, f"{name}_proj_weight").requires_grad_(True)
    if "position" in parts:
        tower.positional_embedding.requires_grad_(True)


def split_projections(attention: nn.MultiheadAttention) -> None:
    """Three input projections instead of one joint weight; what the module computes stays the same."""
    if attention.in_proj_weight is None:
        return
    parts = attention.in_proj_weight.detach().clone().chunk(3)
    attention.register_parameter("in_proj_weight", None)
    for name, weight in zip("qkv", parts):
        setattr(attention, f"{name}_proj_weight", nn.Parameter(weight.clone(), requires_grad=False))
    attention._qkv_same_embed_dim = False
