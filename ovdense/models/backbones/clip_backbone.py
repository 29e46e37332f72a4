"""CLIPBackbone: one name in the configs for every CLIP image tower."""

from __future__ import annotations

import inspect

from timm.models import is_model_in_modules

from ovdense.models.backbones.base import DenseBackbone
from ovdense.models.backbones.open_clip_loader import Pretrained, resolve_model
from ovdense.models.backbones.swapping import EMBEDDED_BACKBONES, refusal
from ovdense.models.backbones.token_trunks import TOKEN_MODULES
from ovdense.registry import MODELS


def backbone_class(model: str | dict) -> str:
    """The registered class that runs a model; reads no weights."""
    if isinstance(model, str) and model in EMBEDDED_BACKBONES:
        return EMBEDDED_BACKBONES[model]
    vision_cfg = resolve_model(model)[1]["vision_cfg"]
    trunk = vision_cfg.get("timm_model_name")
    if trunk:
        return "CLIPTimm" if is_model_in_modules(trunk, TOKEN_MODULES) else "CLIPConvNeXt"
    return "CLIPResNet" if isinstance(vision_cfg.get("layers"), (list, tuple)) else "CLIPViT"


@MODELS.register_module()
def CLIPBackbone(*, model: str | dict, pretrained: Pretrained = None, **options) -> DenseBackbone:  # noqa: N802
    """Builds ``CLIPViT``, ``CLIPResNet``, ``CLIPConvNeXt``, ``CLIPTimm`` or an embedded model's own backbone.

    Args:
        model: see ``open_clip_loader.load_clip``; also ``lite``.
        pretrained: tag, local file, state dict or None.
        **options: those of the class; ``None`` stands for its default.

    Raises:
        TypeError: an option that the class does not have.
        ValueError: weights for an embedded model that brings its own.
    """
    name = backbone_class(model)
    cls = MODELS.get(name)
    options = {key: value for key, value in options.items() if value is not None}
    if name not in EMBEDDED_BACKBONES.values():
        options.update(model=model, pretrained=pretrained)
    elif pretrained is not None:
        raise ValueError(f"the embedded model {model} brings its own weights: use pretrained=None, got {pretrained!r}")
    known = {key for base in cls.__mro__ for key in getattr(inspect.signature(base.__init__), "parameters", {})}
    unknown = sorted(set(options) - known)
    if unknown:
        label = model if isinstance(model, str) else "this model"
        known = sorted(known - {"self", "args", "kwargs", "model", "pretrained", "init_cfg"})
        reason = refusal(name, options)
        raise TypeError(
            f"{label} is a {name}, which has the options {', '.join(known)}; got {', '.join(unknown)}"
            + (f": {reason}" if reason else "")
        )
    return cls(**options)
