"""Checkpoints of the official OVSeg (facebookresearch/ov-seg) under the names of mmdet's modules.

A detectron2 file holds ``backbone.`` (Swin or ResNet-C), ``sem_seg_head.`` (pixel decoder and DETR decoder),
``clip_adapter.`` (the mask-adapted CLIP and the vector of no object), ``criterion.`` and the pixels' mean and std.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmdet.models.backbones.swin import swin_converter
from torch import Tensor

CLIP = "clip_adapter.clip_model."
DROPPED = {
    "criterion.empty_weight": "weights of the training loss: the config has them",
    "clip_adapter.pixel_mean": "the CLIP backbone knows the mean of its pictures",
    "clip_adapter.pixel_std": "the CLIP backbone knows the deviation of its pictures",
    "pixel_mean": "the data preprocessor has it",
    "pixel_std": "the data preprocessor has it",
}
CLIP_FACTS = ("input_resolution", "context_length", "vocab_size")

PIXELS = r"pixel_decoder\."
# Parts of sem_seg_head, from names of the official modules to those of mmdet's MaskFormerHead.
HEAD_RULES = (
    (
        r"pixel_decoder\.adapter_(\d+)\.(weight|bias)$",
        lambda n, leaf: f"pixel_decoder.lateral_convs.{n - 1}.conv.{leaf}",
    ),
    (PIXELS + r"adapter_(\d+)\.norm\.(\w+)$", lambda n, leaf: f"pixel_decoder.lateral_convs.{n - 1}.gn.{leaf}"),
    (PIXELS + r"layer_4\.(weight|bias)$", lambda leaf: f"pixel_decoder.last_feat_conv.conv.{leaf}"),
    (PIXELS + r"layer_4\.norm\.(\w+)$", lambda leaf: f"pixel_decoder.last_feat_conv.gn.{leaf}"),
    (PIXELS + r"layer_(\d+)\.(weight|bias)$", lambda n, leaf: f"pixel_decoder.output_convs.{n - 1}.conv.{leaf}"),
    (PIXELS + r"layer_(\d+)\.norm\.(\w+)$", lambda n, leaf: f"pixel_decoder.output_convs.{n - 1}.gn.{leaf}"),
    (PIXELS + r"mask_features\.(\w+)$", lambda leaf: f"pixel_decoder.mask_feature.{leaf}"),
    (r"predictor\.input_proj\.(\w+)$", lambda leaf: f"decoder_input_proj.{leaf}"),
    (r"predictor\.query_embed\.(\w+)$", lambda leaf: f"query_embed.{leaf}"),
    (r"predictor\.mask_embed\.layers\.(\d+)\.(\w+)$", lambda n, leaf: f"mask_embed.{2 * n}.{leaf}"),
    (r"predictor\.class_embed\.layers\.(\d+)\.(\w+)$", lambda n, leaf: f"cls_embed.{2 * n}.{leaf}"),
    (r"predictor\.transformer\.decoder\.norm\.(\w+)$", lambda leaf: f"transformer_decoder.post_norm.{leaf}"),
)
LAYER = re.compile(r"predictor\.transformer\.decoder\.layers\.(\d+)\.(\w+)\.(.+)$")
LAYER_PARTS = {
    "self_attn": "self_attn.attn",
    "multihead_attn": "cross_attn.attn",
    "linear1": "ffn.layers.0.0",
    "linear2": "ffn.layers.1",
    "norm1": "norms.0",
    "norm2": "norms.1",
    "norm3": "norms.2",
}
RESNET_RULES = (
    (r"stem\.conv([1-3])\.weight$", lambda n: f"stem.{3 * (n - 1)}.weight"),
    (r"stem\.conv([1-3])\.norm\.(\w+)$", lambda n, leaf: f"stem.{3 * (n - 1) + 1}.{leaf}"),
    (r"res([2-5])\.(\d+)\.shortcut\.weight$", lambda s, b: f"layer{s - 1}.{b}.downsample.0.weight"),
    (r"res([2-5])\.(\d+)\.shortcut\.norm\.(\w+)$", lambda s, b, leaf: f"layer{s - 1}.{b}.downsample.1.{leaf}"),
    (r"res([2-5])\.(\d+)\.conv(\d)\.weight$", lambda s, b, n: f"layer{s - 1}.{b}.conv{n}.weight"),
    (r"res([2-5])\.(\d+)\.conv(\d)\.norm\.(\w+)$", lambda s, b, n, leaf: f"layer{s - 1}.{b}.bn{n}.{leaf}"),
)


@dataclass
class ConvertedOVSeg:
    """What a checkpoint holds, sorted.

    Args:
        model: by names of ``OVSeg`` here (``backbone``, ``panoptic_head``, ``region_clip``).
        clip: the whole mask-adapted CLIP in OpenAI's names with ``visual.mask_embedding``, text tower included where
            the file has it.
        report: a line for every key of the file: where it went, or why it was left out.
    """

    model: dict[str, Tensor] = field(default_factory=dict)
    clip: dict[str, Tensor] = field(default_factory=dict)
    report: list[tuple[str, str]] = field(default_factory=list)


def convert_head_key(key: str) -> str | None:
    """Name in mmdet's ``MaskFormerHead`` of a key below ``sem_seg_head.``; None for one that is not known."""
    if found := LAYER.match(key):
        number, part, leaf = found.groups()
        return f"transformer_decoder.layers.{number}.{LAYER_PARTS[part]}.{leaf}" if part in LAYER_PARTS else None
    return _by_rules(key, HEAD_RULES)


def _by_rules(key: str, rules) -> str | None:
    for pattern, rename in rules:
        if found := re.match(pattern, key):
            return rename(*(int(group) if group.isdigit() else group for group in found.groups()))
    return None


def convert_swin(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A detectron2 Swin (names below ``backbone.``) for mmdet's ``SwinTransformer``; patch merging is reordered."""
    renamed = {name: value for name, value in tensors.items() if not name.startswith("head")}
    return {name.removeprefix("backbone."): value for name, value in swin_converter(renamed).items()}


def convert_resnet(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A detectron2 ResNet with DeepLab's stem for mmdet's ``ResNet(deep_stem=True)``.

    Raises:
        ValueError: names that belong to no such ResNet.
    """
    renamed = {name: _by_rules(name, RESNET_RULES) for name in tensors}
    strays = sorted(name for name, new in renamed.items() if new is None)
    if strays:
        raise ValueError(f"{len(strays)} backbone weights have no place in a ResNet-C, such as {strays[:3]}")
    return {renamed[name]: value for name, value in tensors.items()}


def convert_ovseg(checkpoint: Mapping) -> ConvertedOVSeg:
    """Sorts an official checkpoint, ``{"model": tensors}`` or the tensors themselves.

    Raises:
        ValueError: keys that are not known, or a part of the model that is not there; all of them are named.
    """
    state = checkpoint.get("model", checkpoint)
    result, strays = ConvertedOVSeg(), []
    backbone = {key.removeprefix("backbone."): value for key, value in state.items() if key.startswith("backbone.")}
    if backbone:
        is_swin = "patch_embed.proj.weight" in backbone
        for key, value in (convert_swin if is_swin else convert_resnet)(backbone).items():
            result.model[f"backbone.{key}"] = value
        kind = "Swin" if is_swin else "ResNet-C"
        result.report += [(f"backbone.{key}", f"backbone ({kind})") for key in backbone]
    for key, value in state.items():
        if key.startswith("backbone."):
            continue
        target = convert_head_key(key.removeprefix("sem_seg_head.")) if key.startswith("sem_seg_head.") else None
        if key.startswith(CLIP):
            target = _take_clip(key.removeprefix(CLIP), value, result)
        elif target is not None:
            target = f"panoptic_head.{target}"
            result.model[target] = value
        elif key == "clip_adapter.non_object_embedding":
            target = "panoptic_head.void_embedding.weight"
            result.model[target] = value
        elif key in DROPPED:
            target = f"left out: {DROPPED[key]}"
        if target is None:
            strays.append(key)
        else:
            result.report.append((key, target))
    parts = {"backbone": backbone, "clip_adapter.clip_model": result.clip}
    parts["sem_seg_head"] = [key for key in result.model if key.startswith("panoptic_head.pixel_decoder")]
    parts["clip_adapter.non_object_embedding"] = result.model.get("panoptic_head.void_embedding.weight", ())
    missing = [name for name, held in parts.items() if not len(held)]
    if strays or missing:
        raise ValueError(
            "this is no checkpoint of OVSeg: "
            + "; ".join(
                [f"{len(strays)} keys are not known, such as {sorted(strays)[:4]}"] * bool(strays)
                + [f"nothing for {', '.join(missing)}"] * bool(missing)
            )
        )
    return result


def _take_clip(name: str, value: Tensor, result: ConvertedOVSeg) -> str:
    """Files a weight of the CLIP; its image tower also goes into the model."""
    if name in CLIP_FACTS:
        return "left out: a fact that the weights' shapes tell"
    result.clip[name] = value.float()
    if not name.startswith("visual."):
        return f"{name} of the CLIP file (text tower)"
    here = "mask_embedding" if name == "visual.mask_embedding" else name
    result.model[f"region_clip.backbone.{here}"] = value.float()
    return f"region_clip.backbone.{here}, {name} of the CLIP file"
