"""A feature pyramid on the blocks of a plain ViT (F-ViT, arXiv 2310.01403; ViTDet, arXiv 2203.16527).

Shapes: B images, D channels of the ViT, h x w patch grid.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.registry import MODELS


@MODELS.register_module()
class ViTPyramid(BaseModule):
    """Four maps (B,D,h,w) of one grid -> strides of 1/4, 1/2, 1 and 2 patches, then an FPN.

    The first goes through two transposed convolutions with a norm between, the second through one, the fourth through
    max pooling. Names of the layers are the official ones, ``interpolate1`` to ``interpolate4``.

    Args:
        channels: D.
        norm_cfg: of the norm; None for none.
        fpn: config of mmdet's FPN with ``in_channels=[D] * 4``; None gives the four maps.
    """

    def __init__(
        self, *, channels: int, norm_cfg: dict | None = None, fpn: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        norm = nn.Identity() if norm_cfg is None else build_norm_layer(dict(norm_cfg), channels)[1]
        self.interpolate1 = nn.Sequential(_double(channels), norm, nn.GELU(), _double(channels))
        self.interpolate2 = nn.Sequential(_double(channels))
        self.interpolate3 = nn.Identity()
        self.interpolate4 = nn.MaxPool2d(2, stride=2)
        self.fpn = None if fpn is None else MODELS.build(ConfigDict({"_scope_": "mmdet", **fpn}))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if len(maps) != 4:
            raise ValueError(f"the pyramid stands on four blocks: set out_indices of the backbone, got {len(maps)}")
        layers = (self.interpolate1, self.interpolate2, self.interpolate3, self.interpolate4)
        levels = tuple(layer(level) for layer, level in zip(layers, maps))
        return levels if self.fpn is None else tuple(self.fpn(levels))


def _double(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, kernel_size=2, stride=2)
