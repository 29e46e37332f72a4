"""Alpha-CLIP's fourth channel: a mask enters beside the picture, through a patch convolution of its own.

Alpha-CLIP (arXiv 2312.03818), section 3.2. Shapes: B images, H x W pixels, D channels, p pixels of a patch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ovdense.models.backbones.open_clip_loader import ALPHA_CONV, LoadedCLIP

MEAN, STD = 0.5, 0.26  # a mask of 0 to 1 is normalised as (mask - 0.5) / 0.26


def alpha_convolution(loaded: LoadedCLIP, alpha: bool | None) -> nn.Conv2d | None:
    """The convolution of the mask with the weights of the model, with zeros where it has none, or None without one.

    Args:
        alpha: None for what the weights hold; False for none; True also for a CLIP that knows no masks yet, which it
            then reads as if there were none.

    Raises:
        ValueError: weights of another shape.
    """
    held = (loaded.tensors or {}).get(ALPHA_CONV)
    if alpha is False or (alpha is None and held is None):
        return None
    patches = loaded.visual.conv1
    conv = nn.Conv2d(1, patches.out_channels, patches.kernel_size, patches.stride, bias=False)
    if held is not None and held.shape != conv.weight.shape:
        raise ValueError(
            f"{loaded.source}: the convolution of the mask of {loaded.name} is {tuple(conv.weight.shape)}, got "
            f"{tuple(held.shape)}"
        )
    with torch.no_grad():
        conv.weight.copy_(torch.zeros_like(conv.weight) if held is None else held.float())
    return conv


def normalised_alpha(images: Tensor, masks: Tensor | None) -> Tensor:
    """Masks (B,1,H,W) of 0 to 1 as the convolution takes them; without masks the whole picture (B,3,H,W) is meant."""
    if masks is None:
        masks = images.new_ones((len(images), 1, *images.shape[-2:]))
    return (masks.to(images) - MEAN) / STD


def plain_clip_layout(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official file (a bare image tower, its joint projection a layer of its own) in the layout of ``visual.*``.

    Raises:
        ValueError: no image tower with a convolution of the mask.
    """
    bare = {name.removeprefix("visual."): value for name, value in tensors.items()}
    if "conv1_alpha.weight" not in bare:
        raise ValueError(f"no weights of Alpha-CLIP: conv1_alpha.weight is missing, got {sorted(bare)[:5]}")
    lora = sorted(name for name in bare if "lora_" in name)
    if lora:
        raise ValueError(f"low-rank weights must be merged into the layers first, got {lora[:3]}")
    return {f"visual.{name.replace('attn.in_proj.', 'attn.in_proj_')}": value for name, value in bare.items()}
