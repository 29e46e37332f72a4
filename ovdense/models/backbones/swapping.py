"""Which CLIP image towers can stand in for which: why one cannot run a method, said before weights are read.

A method asks for a last-block variant (``attention``), extras (``capture``) or a proxy; the make of a tower decides.
"""

from __future__ import annotations

from collections.abc import Mapping

from ovdense.functional.attention import get_attention_variant
from ovdense.models.backbones.open_clip_loader import resolve_model

LAST_BLOCK = ("attention", "attention_options", "residual", "mlp")  # options that speak of a transformer's last block
EMBEDDED_BACKBONES = {"lite": "LiteBackbone"}  # embedded models that are no open_clip model: their own class, by name


def refusal(kind: str, options: Mapping) -> str | None:
    """Why a kind of tower cannot run a method, or None.

    Args:
        kind: ``CLIPViT``, ``CLIPTimm``, ``CLIPResNet``, ``CLIPConvNeXt`` or ``LiteBackbone``.
        options: of the backbone's config; ``type`` says whether it is a proxy.
    """
    steered = str(options.get("type", "CLIPBackbone")).rsplit(".", 1)[-1] not in ("CLIPBackbone", kind)
    asked = options.get("attention")
    if kind in ("CLIPViT", "CLIPTimm"):
        return None
    if steered:
        return f"{options['type']} steers what the last transformer block averages, and this tower has no such block"
    if kind == "CLIPResNet":
        return _resnet_refusal(asked, options)
    if not any(options.get(name) is not None for name in LAST_BLOCK):
        return None
    if kind == "CLIPConvNeXt":
        return (
            f"a convolutional trunk has no attention in its last block that {asked!r} could replace; a config without "
            "attention takes its map as it is"
        )
    return (
        f"a trained readout takes the place of the last block that {asked!r} would replace; pixeltext is the method of "
        "this model"
    )


def _resnet_refusal(attention: str | None, options: Mapping) -> str | None:
    variant = None if attention is None else get_attention_variant(attention)
    if variant is not None and (variant.streams > 1 or variant.tail is not None or variant.recorded):
        return f"a ResNet has one attention layer, its pool, but {attention!r} needs a stack of them"
    if options.get("residual") is not None or options.get("mlp") is not None:
        return "the attention pool of a ResNet has neither residual nor MLP"
    capture = options.get("capture") or ()
    projected = [name for name in ((capture,) if isinstance(capture, str) else capture) if name.endswith("_out")]
    if projected:
        return f"the attention pool of a ResNet projects no keys or queries to tokens, and the method needs {projected}"
    return None


def caveat(model: str | dict) -> str | None:
    """What to expect of a tower that runs, but was not trained for dense use in the way of a class-token ViT."""
    if isinstance(model, str) and model in EMBEDDED_BACKBONES:
        return None
    vision = resolve_model(model)[1]["vision_cfg"]
    if vision.get("timm_pool") == "map" or vision.get("attentional_pool"):
        return (
            "it pools patches by attention: each patch goes through the pool by itself, for which it was not trained; "
            "expect less than of a class-token ViT of its size"
        )
    return None
