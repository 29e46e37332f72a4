"""Backbones of mmdet and mmseg that have stage maps but no text space: Swin, ResNet, ...

Shapes: B images, D_i channels of stage i.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.config import ConfigDict
from torch import Tensor

from ovdense.models.backbones.base import DenseBackbone
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@MODELS.register_module()
class StageBackbone(DenseBackbone):
    """(B,3,H,W) -> DenseFeatures with ``maps`` alone, of any backbone that returns its stages, finest first.

    Args:
        trunk: config of the backbone (``mmdet.SwinTransformer``, ``mmdet.ResNet``, ...).
        image_mean: per RGB channel, on a 0..1 scale.
        image_std: per RGB channel, on a 0..1 scale.
        stride: pixels of a cell of the last map.
        frozen: no gradients.
    """

    space = None
    embed_dim = None

    def __init__(
        self,
        *,
        trunk: dict,
        image_mean: Sequence[float] = IMAGENET_MEAN,
        image_std: Sequence[float] = IMAGENET_STD,
        stride: int = 32,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(padding="corner", frozen=frozen, init_cfg=init_cfg)
        self.name = str(trunk["type"]).rpartition(".")[2]
        self.trunk = MODELS.build(ConfigDict({"_scope_": "mmdet", **trunk}))
        self.image_mean, self.image_std, self.stride = tuple(image_mean), tuple(image_std), stride
        self._freeze()

    def init_weights(self) -> None:
        """What the trunk's own config says (``init_cfg``, a checkpoint, or random numbers)."""
        if not self._is_init:
            self.trunk.init_weights()
        self._is_init = True

    def train(self, mode: bool = True) -> StageBackbone:
        """Stays in evaluation mode when frozen."""
        super().train(mode)
        self.trunk.train(self.training)  # trunks keep their frozen stages in evaluation mode here
        return self

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        return DenseFeatures(dense=None, maps=tuple(self.trunk(images)))
