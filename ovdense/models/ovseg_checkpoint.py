"""Checkpoints of the official OVSeg (facebookresearch/ov-seg), as detectron2 saves them, under our names.

They hold ``backbone.`` (Swin or ResNet-C), ``sem_seg_head.`` (pixel decoder and DETR decoder), ``clip_adapter.`` (the
mask-adapted CLIP and the vector of no object), ``criterion.`` and the pixels' mean and std.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mmdet.models.backbones.swin import swin_converter
from torch import Tensor, nn

from ovdense.models.mask_checkpoints import CLIP, TEXT_KEYS, TEXT_NAME, Converted, ReportLine, Rule, rename, shorten

PIXELS = r"sem_seg_head\.pixel_decoder\."
PREDICTOR = r"sem_seg_head\.predictor\."
DECODER = PREDICTOR + r"transformer\.decoder\.layers\.(\d+)\."
OWN_PIXELS = "mask_head.pixel_decoder."
LAYERS = r"mask_head.transformer_decoder.layers.\1."
REGION_CLIP = "region_classifier.backbone."
KNOWN_BY_SHAPE = "a fact that the shapes of the weights tell"

OVSEG_HEAD_RULES = (
    *(
        rule
        for level in (1, 2, 3)
        for rule in (
            Rule(PIXELS + rf"adapter_{level}\.norm\.(\w+)", OWN_PIXELS + rf"lateral_convs.{level - 1}.gn.\1"),
            Rule(PIXELS + rf"adapter_{level}\.(\w+)", OWN_PIXELS + rf"lateral_convs.{level - 1}.conv.\1"),
            Rule(PIXELS + rf"layer_{level}\.norm\.(\w+)", OWN_PIXELS + rf"output_convs.{level - 1}.gn.\1"),
            Rule(PIXELS + rf"layer_{level}\.(\w+)", OWN_PIXELS + rf"output_convs.{level - 1}.conv.\1"),
        )
    ),
    Rule(PIXELS + r"layer_4\.norm\.(\w+)", OWN_PIXELS + r"last_feat_conv.gn.\1"),
    Rule(PIXELS + r"layer_4\.(\w+)", OWN_PIXELS + r"last_feat_conv.conv.\1"),
    Rule(PIXELS + r"mask_features\.(\w+)", OWN_PIXELS + r"mask_feature.\1"),
    Rule(DECODER + r"self_attn\.(.+)", LAYERS + r"self_attn.attn.\2"),
    Rule(DECODER + r"multihead_attn\.(.+)", LAYERS + r"cross_attn.attn.\2"),
    Rule(DECODER + r"linear1\.(\w+)", LAYERS + r"ffn.layers.0.0.\2"),
    Rule(DECODER + r"linear2\.(\w+)", LAYERS + r"ffn.layers.1.\2"),
    *(Rule(DECODER + rf"norm{n}\.(\w+)", LAYERS + rf"norms.{n - 1}.\2") for n in (1, 2, 3)),
    Rule(PREDICTOR + r"transformer\.decoder\.norm\.(\w+)", r"mask_head.transformer_decoder.post_norm.\1"),
    Rule(PREDICTOR + r"input_proj\.(\w+)", r"mask_head.decoder_input_proj.\1"),
    Rule(PREDICTOR + r"query_embed\.(\w+)", r"mask_head.query_embed.\1"),
    *(Rule(PREDICTOR + rf"mask_embed\.layers\.{n}\.(\w+)", rf"mask_head.mask_embed.{2 * n}.\1") for n in (0, 1, 2)),
    *(Rule(PREDICTOR + rf"class_embed\.layers\.{n}\.(\w+)", rf"mask_head.cls_embed.{2 * n}.\1") for n in (0, 1)),
)
OVSEG_RULES = (
    *OVSEG_HEAD_RULES,
    Rule(r"clip_adapter\.non_object_embedding", "mask_head.void_embedding.weight"),
    Rule(r"clip_adapter\.clip_model\.(input_resolution|context_length|vocab_size)", None, KNOWN_BY_SHAPE),
    Rule(r"clip_adapter\.clip_model\.visual\.mask_embedding", REGION_CLIP + "mask_embedding"),
    Rule(r"clip_adapter\.clip_model\.(visual\..+)", REGION_CLIP + r"\1"),
    Rule(r"clip_adapter\.clip_model\.(.+)", CLIP + r"\1", "text tower"),
    Rule(r"clip_adapter\.pixel_(mean|std)", None, "the region CLIP knows the mean and deviation of its pictures"),
    Rule(r"criterion\.empty_weight", None, "follows from the vocabulary"),
    Rule(r"pixel_(mean|std)", None, "the data preprocessor has them"),
)
RESNET_RULES = (
    *(
        rule
        for n in (1, 2, 3)
        for rule in (
            Rule(rf"stem\.conv{n}\.weight", f"stem.{3 * n - 3}.weight"),
            Rule(rf"stem\.conv{n}\.norm\.(\w+)", rf"stem.{3 * n - 2}.\1"),
        )
    ),
    *(
        rule
        for stage in (2, 3, 4, 5)
        for rule in (
            Rule(rf"res{stage}\.(\d+)\.shortcut\.weight", rf"layer{stage - 1}.\1.downsample.0.weight"),
            Rule(rf"res{stage}\.(\d+)\.shortcut\.norm\.(\w+)", rf"layer{stage - 1}.\1.downsample.1.\2"),
            Rule(rf"res{stage}\.(\d+)\.conv(\d)\.weight", rf"layer{stage - 1}.\1.conv\2.weight"),
            Rule(rf"res{stage}\.(\d+)\.conv(\d)\.norm\.(\w+)", rf"layer{stage - 1}.\1.bn\2.\3"),
        )
    ),
)


def convert_swin(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official Swin (names below ``backbone.``) for mmdet's ``SwinTransformer``; patch merging is reordered."""
    return {name.removeprefix("backbone."): value for name, value in swin_converter(dict(tensors)).items()}


def convert_resnet(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A detectron2 ResNet with DeepLab's stem for mmdet's ``ResNet(deep_stem=True)``."""
    return rename(tensors, RESNET_RULES)[0]


def convert_ovseg(
    tensors: Mapping[str, Tensor], model: nn.Module, *, clip: Mapping[str, Tensor] | None = None
) -> Converted:
    """An official checkpoint as the state dict of an ``OVSeg`` of ours, and as a CLIP file with mask prompts.

    Args:
        tensors: flat official state dict (``read_state_dict`` takes wrappers off).
        model: the model that the weights are for; it is not changed.
        clip: weights of the stock CLIP, for a text tower that the checkpoint lacks.

    Raises:
        ValueError: names without a place here, and with every key that is missing, unexpected or of another shape.
    """
    own = {name.removeprefix("backbone."): value for name, value in tensors.items() if name.startswith("backbone.")}
    is_swin = any(name.startswith("patch_embed.") for name in own)
    trunk = (convert_swin if is_swin else convert_resnet)(own)
    rest = {name: value for name, value in tensors.items() if not name.startswith("backbone.")}
    renamed, report = rename(rest, OVSEG_RULES)
    report += [ReportLine(f"backbone.{name}", "backbone.trunk", "Swin" if is_swin else "ResNet-C") for name in own]
    state = {name: value.float() for name, value in renamed.items() if not name.startswith(CLIP)}
    state |= {f"backbone.trunk.{name}": value for name, value in trunk.items()}
    text = {name.removeprefix(CLIP): value.float() for name, value in renamed.items() if name.startswith(CLIP)}
    for name, value in (clip or {}).items():
        plain = name.removeprefix("text.")
        if (TEXT_NAME.match(name) or name == "logit_scale") and plain not in text:
            text[plain] = value
            report.append(ReportLine("", CLIP + plain, "filled from the stock CLIP model"))
    check(state, model.state_dict(), text)
    visual = {name.removeprefix(REGION_CLIP): value for name, value in state.items() if name.startswith(REGION_CLIP)}
    visual = {name if name.startswith("visual.") else f"visual.{name}": value for name, value in visual.items()}
    return Converted(state, {**visual, **text}, report)


def check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> None:
    """ValueError that lists what does not fit."""
    ignored = re.compile(r".*(num_batches_tracked|relative_position_index)$")
    problems = {
        "missing": [name for name in expected if name not in state and not ignored.match(name)],
        "unexpected": [name for name in state if name not in expected and not ignored.match(name)],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in expected
            if name in state and state[name].shape != expected[name].shape
        ],
        "missing of the text tower": [name for name in TEXT_KEYS if name not in text],
    }
    if any(problems.values()):
        listed = "; ".join(f"{len(names)} {kind}: {shorten(names)}" for kind, names in problems.items() if names)
        remedy = ": name the stock CLIP model (--clip)" if problems["missing of the text tower"] else ""
        raise ValueError(f"the checkpoint does not fit the model: {listed}{remedy}")
