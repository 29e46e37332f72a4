"""An RPN whose objectness does not teach the features: boxes of base classes alone would silence novel ones (BARON)."""

from __future__ import annotations

from mmdet.models.dense_heads import RPNHead
from torch import Tensor, nn
from torch.nn import functional as F

from ovdense.registry import MODELS


@MODELS.register_module()
class DetachedRPNHead(RPNHead):
    """mmdet's ``RPNHead`` whose objectness, of two convolutions, sends no gradient back (arXiv 2302.13996)."""

    def _init_layers(self) -> None:
        super()._init_layers()
        channels, anchors = self.feat_channels, self.num_base_priors * self.cls_out_channels
        self.rpn_cls = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, anchors, 1)
        )

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Objectness (B,A,h,w) and box deltas (B,4A,h,w) of one level (B,C,h,w)."""
        x = F.relu(self.rpn_conv(x))
        return self.rpn_cls(x.detach()), self.rpn_reg(x)
