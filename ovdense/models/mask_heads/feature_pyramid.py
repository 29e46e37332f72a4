"""Stage maps for decoders out of a backbone that has one scale (a plain ViT).

Shapes: B images, D channels of the backbone, C output channels, h x w patch grid.
"""

from __future__ import annotations

from mmengine.model import BaseModule
from torch import Tensor, nn

from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

SCALES = (4.0, 2.0, 1.0, 0.5)


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """(B,D,h,w) -> four maps (B,C,..), finest first: the simple pyramid of ViTDet (arXiv 2203.16527, section 3).

    Each scale is made of the last map alone: transposed convolutions enlarge it, a max pool shrinks it.

    Args:
        in_channels: D.
        out_channels: C.
        scales: size of each map relative to the patch grid: powers of 2 between 1/4 and 4.
        source: ``dense``, or the name of a field of ``DenseFeatures.extras``.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        scales: tuple[float, ...] = SCALES,
        source: str = "dense",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.source = source
        self.levels = nn.ModuleList(_level(in_channels, out_channels, scale) for scale in scales)

    def forward(self, features: DenseFeatures) -> tuple[Tensor, ...]:
        x = features.dense if self.source == "dense" else features.extras[self.source]
        return tuple(level(x) for level in self.levels)


def _level(width: int, out: int, scale: float) -> nn.Sequential:
    """One map: resize, then a 1 x 1 and a 3 x 3 convolution, each normed over its channels."""
    layers: list[nn.Module] = []
    if scale not in (0.25, 0.5, 1, 2, 4):
        raise ValueError(f"scales of a simple feature pyramid are 1/4, 1/2, 1, 2 or 4, got {scale}")
    while scale > 1:
        layers += [nn.ConvTranspose2d(width, width // 2, 2, stride=2), nn.GELU()]
        width, scale = width // 2, scale / 2
    if scale < 1:
        layers.append(nn.MaxPool2d(int(1 / scale), ceil_mode=True))
    for kernel, inputs in ((1, width), (3, out)):
        layers += [nn.Conv2d(inputs, out, kernel, padding=kernel // 2, bias=False), nn.GroupNorm(1, out)]
    return nn.Sequential(*layers)
