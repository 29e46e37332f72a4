"""The C4 half of CLIP's ModifiedResNet: stem to layer3, for detectors whose RoI tail has the rest.

Shapes: B images of H x W pixels.
"""

from __future__ import annotations

from torch import Tensor, nn

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CLIPResNetC4(DenseBackbone):
    """(B,3,H,W) -> DenseFeatures without ``dense``: its one map is layer3's, of stride 16.

    Args:
        model: open_clip name (``RN50``, ``RN50x4``) or config dict.
        pretrained: tag, local file, state dict or None.
        frozen_stages: parts that are not trained, counted as Detectron2's FREEZE_AT: 0 none, 1 the stem, 2 the stem and
            layer1, 4 all. Batch norms are always frozen, with their scale and shift.
        **kwargs: of ``DenseBackbone``; ``frozen`` defaults to False here, ``padding`` to none.
    """

    stride = 16

    def __init__(
        self, *, model: str | dict, pretrained: Pretrained = None, frozen_stages: int = 2, padding="none", **kwargs
    ) -> None:
        kwargs.setdefault("frozen", False)
        super().__init__(padding=padding, **kwargs)
        loaded = load_clip(model, pretrained)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.visual = loaded.visual
        if not hasattr(self.visual, "layer4") or not hasattr(self.visual, "attnpool"):
            raise ValueError(f"CLIPResNetC4 takes a ModifiedResNet of CLIP such as RN50, got {self.name}")
        self.visual.layer4 = self.visual.attnpool = None
        freeze_norms(self.visual)
        visual = self.visual
        stem = [visual.conv1, visual.conv2, visual.conv3]
        for part in [nn.ModuleList(stem), visual.layer1, visual.layer2, visual.layer3][:frozen_stages]:
            part.requires_grad_(False)
        self._freeze()

    def train(self, mode: bool = True) -> CLIPResNetC4:
        """Batch norms stay in evaluation mode."""
        super().train(mode)
        keep_norms_frozen(self)
        return self

    def encode(self, images: Tensor) -> DenseFeatures:
        x = self.visual.stem(images)
        for stage in (self.visual.layer1, self.visual.layer2, self.visual.layer3):
            x = stage(x)
        return DenseFeatures(dense=None, maps=(x,))


def freeze_norms(module: nn.Module) -> None:
    """Batch norms neither learn nor count."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval().requires_grad_(False)


def keep_norms_frozen(module: nn.Module) -> None:
    """Batch norms into evaluation mode."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
