"""CLIPConvNeXt: open_clip models whose image tower is a timm trunk that ends in a feature map (ConvNeXt, FastViT, ...).

Their head pools the map to one position, then norms and projects it, so the head of every position by itself is the
dense map: on a 1 x 1 map it is the image embedding.

Shapes: B images, D channels of the last stage, C channels of the text space.
"""

from __future__ import annotations

from torch import Tensor, nn

from ovdense.functional.mask_pooling import pool_masks
from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.open_clip_loader import Pretrained, load_clip
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


@MODELS.register_module()
class CLIPConvNeXt(DenseBackbone):
    """(B, 3, H, W) -> DenseFeatures with every stage map of the trunk (strides 4 to 32) as ``maps``.

    Args:
        model: open_clip name or config dict.
        pretrained: tag, local file, state dict or None.
        **kwargs: ``padding``, ``capture``, ``with_global``, ``frozen`` of ``DenseBackbone``.
    """

    captures = ("final",)

    def __init__(self, *, model: str | dict, pretrained: Pretrained = None, **kwargs) -> None:
        super().__init__(**kwargs)
        loaded = load_clip(model, pretrained)
        visual = loaded.visual
        check_supported(getattr(visual, "trunk", None), visual, loaded.name)
        self.name, self.space, self.embed_dim = loaded.name, loaded.space, loaded.embed_dim
        self.image_mean, self.image_std = loaded.image_mean, loaded.image_std
        self.logit_scale = min(loaded.logit_scale, 100.0)
        self.stride = visual.trunk.feature_info[-1]["reduction"]
        self.visual = visual
        self._freeze()

    def encode(self, images: Tensor, **options) -> DenseFeatures:
        if options:
            raise TypeError(f"{type(self).__name__} has no attention to steer, got {sorted(options)}")
        final, maps = self.visual.trunk.forward_intermediates(images, output_fmt="NCHW")
        return DenseFeatures(
            dense=self.to_text_space(final),
            global_embedding=self._head(final) if self.with_global else None,
            maps=tuple(maps),
            extras={"final": final} if "final" in self.capture else {},
        )

    def to_text_space(self, x: Tensor) -> Tensor:
        """The head of every position by itself, (B, D, h, w) -> (B, C, h, w)."""
        batch, channels, height, width = x.shape
        rows = self._head(x.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1))
        return rows.reshape(batch, height, width, -1).permute(0, 3, 1, 2)

    def embed_masks(self, features: DenseFeatures, mask_logits: Tensor) -> Tensor:
        """Embeddings (B, Q, C) of mask proposals: the head of the last map's mean over each (FC-CLIP)."""
        return self.embed_pooled(pool_masks(features.extras.get("final", features.maps[-1]), mask_logits))

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """The head of pooled vectors of the last map, (..., D) -> (..., C)."""
        return self._head(pooled.reshape(-1, pooled.shape[-1], 1, 1)).unflatten(0, pooled.shape[:-1])

    def _head(self, x: Tensor) -> Tensor:
        """The model's own head: pool, norm, projection, (N, D, h, w) -> (N, C)."""
        return self.visual.head(self.visual.trunk.forward_head(x))


def check_supported(trunk: nn.Module | None, visual: nn.Module, name: str) -> None:
    """ValueError, with the reason, for towers that do not end in a map of any size."""
    if trunk is None:
        raise ValueError(f"{name} is no timm model of open_clip; let CLIPBackbone pick the class")
    if hasattr(visual.head, "pool"):
        raise ValueError(f"{name}: 2-D attention pooling on top of a timm trunk has a fixed image size")
    if hasattr(trunk, "patch_embed") or not hasattr(trunk, "feature_info"):
        raise ValueError(
            f"{name}: a {type(trunk).__name__} does not end in a feature map of any size (windowed and "
            "relative-position transformers are tied to one image size)"
        )
