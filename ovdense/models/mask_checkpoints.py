"""Official checkpoints of mask-proposal classifiers, which are laid out as detectron2 saves them, under our names.

A layout is a list of ``Rule``: the first whose pattern fits a name says where the tensor goes. Nothing is dropped or
made up in silence: a name without a rule, a weight that the model lacks and one that the checkpoint lacks end the
conversion, and the report has a line for every key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

CLIP = "clip:"  # where the frozen CLIP's own weights go, named as in open_clip
TEXT_KEYS = ("token_embedding.weight", "positional_embedding", "ln_final.weight", "text_projection")
TEXT_NAME = re.compile(r"(text\.)?(transformer\.|token_embedding\.|positional_embedding|ln_final\.|text_projection)")


@dataclass(frozen=True)
class Rule:
    """Where the tensors go whose names fit.

    Args:
        pattern: regular expression of the whole official name.
        target: our name with ``\\1`` for groups; None to leave the tensor out. After ``clip:`` the CLIP model's.
        note: why it is left out, or what was done to it.
        change: what is done to the tensor.
    """

    pattern: str
    target: str | None
    note: str = ""
    change: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class ReportLine:
    """What became of one key: the official name ('' if the checkpoint lacks it), ours ('' if left out), and why."""

    official: str
    ours: str
    note: str = ""

    def __str__(self) -> str:
        arrow = f"{self.official or '(not in the checkpoint)'} -> {self.ours or '(left out)'}"
        return f"{arrow}  [{self.note}]" if self.note else arrow


@dataclass
class Converted:
    """The model's state dict, the CLIP model's (open_clip's layout), and a line for every key."""

    state: dict[str, Tensor]
    clip: dict[str, Tensor]
    report: list[ReportLine]


PREDICTOR = r"sem_seg_head\.predictor\."
PIXELS = r"sem_seg_head\.pixel_decoder\."
LAYERS = "mask_head.transformer_decoder.layers."

MASK2FORMER_RULES = (
    Rule(PIXELS + r"input_proj\.(\d+)\.0\.(\w+)", r"mask_head.pixel_decoder.input_convs.\1.conv.\2"),
    Rule(PIXELS + r"input_proj\.(\d+)\.1\.(\w+)", r"mask_head.pixel_decoder.input_convs.\1.gn.\2"),
    Rule(PIXELS + r"transformer\.level_embed", "mask_head.pixel_decoder.level_encoding.weight"),
    Rule(
        PIXELS + r"transformer\.encoder\.layers\.(\d+)\.self_attn\.(.+)",
        r"mask_head.pixel_decoder.encoder.layers.\1.self_attn.\2",
    ),
    Rule(
        PIXELS + r"transformer\.encoder\.layers\.(\d+)\.linear1\.(\w+)",
        r"mask_head.pixel_decoder.encoder.layers.\1.ffn.layers.0.0.\2",
    ),
    Rule(
        PIXELS + r"transformer\.encoder\.layers\.(\d+)\.linear2\.(\w+)",
        r"mask_head.pixel_decoder.encoder.layers.\1.ffn.layers.1.\2",
    ),
    Rule(
        PIXELS + r"transformer\.encoder\.layers\.(\d+)\.norm1\.(\w+)",
        r"mask_head.pixel_decoder.encoder.layers.\1.norms.0.\2",
    ),
    Rule(
        PIXELS + r"transformer\.encoder\.layers\.(\d+)\.norm2\.(\w+)",
        r"mask_head.pixel_decoder.encoder.layers.\1.norms.1.\2",
    ),
    Rule(PIXELS + r"adapter_1\.norm\.(\w+)", r"mask_head.pixel_decoder.lateral_convs.0.gn.\1"),
    Rule(PIXELS + r"adapter_1\.(\w+)", r"mask_head.pixel_decoder.lateral_convs.0.conv.\1"),
    Rule(PIXELS + r"layer_1\.norm\.(\w+)", r"mask_head.pixel_decoder.output_convs.0.gn.\1"),
    Rule(PIXELS + r"layer_1\.(\w+)", r"mask_head.pixel_decoder.output_convs.0.conv.\1"),
    Rule(PIXELS + r"mask_features\.(\w+)", r"mask_head.pixel_decoder.mask_feature.\1"),
    Rule(
        PREDICTOR + r"transformer_cross_attention_layers\.(\d+)\.multihead_attn\.(.+)",
        LAYERS + r"\1.cross_attn.attn.\2",
    ),
    Rule(PREDICTOR + r"transformer_cross_attention_layers\.(\d+)\.norm\.(\w+)", LAYERS + r"\1.norms.0.\2"),
    Rule(
        PREDICTOR + r"transformer_self_attention_layers\.(\d+)\.self_attn\.(.+)",
        LAYERS + r"\1.self_attn.attn.\2",
    ),
    Rule(PREDICTOR + r"transformer_self_attention_layers\.(\d+)\.norm\.(\w+)", LAYERS + r"\1.norms.1.\2"),
    Rule(PREDICTOR + r"transformer_ffn_layers\.(\d+)\.linear1\.(\w+)", LAYERS + r"\1.ffn.layers.0.0.\2"),
    Rule(PREDICTOR + r"transformer_ffn_layers\.(\d+)\.linear2\.(\w+)", LAYERS + r"\1.ffn.layers.1.\2"),
    Rule(PREDICTOR + r"transformer_ffn_layers\.(\d+)\.norm\.(\w+)", LAYERS + r"\1.norms.2.\2"),
    Rule(PREDICTOR + r"decoder_norm\.(\w+)", r"mask_head.transformer_decoder.post_norm.\1"),
    Rule(PREDICTOR + r"(query_feat|query_embed|level_embed)\.weight", r"mask_head.\1.weight"),
    Rule(PREDICTOR + r"input_proj\.(\d+)\.(\w+)", r"mask_head.decoder_input_projs.\1.\2"),
    Rule(PREDICTOR + r"mask_embed\.layers\.0\.(\w+)", r"mask_head.mask_embed.0.\1"),
    Rule(PREDICTOR + r"mask_embed\.layers\.1\.(\w+)", r"mask_head.mask_embed.2.\1"),
    Rule(PREDICTOR + r"mask_embed\.layers\.2\.(\w+)", r"mask_head.mask_embed.4.\1"),
    Rule(r"criterion\.empty_weight", None, "follows from the vocabulary"),
    Rule(r"pixel_(mean|std)", None, "the data preprocessor has them"),
)
"""Mask2Former's pixel decoder and masked decoder, as FC-CLIP, MAFT+ and Mask-Adapter use them."""

FCCLIP_HEAD_RULES = (
    Rule(PREDICTOR + r"_mask_pooling_proj\.(\d+)\.(\w+)", r"mask_head.mask_pool_proj.\1.\2"),
    Rule(PREDICTOR + r"class_embed\.layers\.0\.(\w+)", r"mask_head.class_embed.0.\1"),
    Rule(PREDICTOR + r"class_embed\.layers\.1\.(\w+)", r"mask_head.class_embed.2.\1"),
    Rule(PREDICTOR + r"class_embed\.layers\.2\.(\w+)", r"mask_head.class_embed.4.\1"),
    Rule(PREDICTOR + r"logit_scale", "mask_head.logit_scale"),
    Rule(r"void_embedding\.weight", "mask_head.void_embedding.weight"),
)


def clamped_exp(tensor: Tensor) -> Tensor:
    """The factor that a ``logit_scale`` of CLIP stands for, at most 100."""
    return tensor.float().exp().clamp(max=100.0)


CLIP_RULES = (
    Rule(r"backbone\.clip_model\.(visual\..+)", r"backbone.\1"),
    Rule(r"backbone\.clip_model\.logit_scale", "region_classifier.logit_scale", "its exponential", clamped_exp),
    Rule(r"backbone\.clip_model\.(.+)", CLIP + r"\1", "text tower"),
)
FCCLIP_RULES = (*MASK2FORMER_RULES, *FCCLIP_HEAD_RULES, *CLIP_RULES)

TRANSFER = r"cdt\.cross_atten\."
MAFT_PLUS_RULES = (
    *FCCLIP_RULES,
    Rule(r"backbone_t\..+", None, "the frozen teacher, which only training needs"),
    Rule(TRANSFER + r"multihead_attn\.(.+)", r"transfer.attention.\1"),
    Rule(TRANSFER + r"norm\.(\w+)", r"transfer.norm.\1"),
    Rule(TRANSFER + r"MLP\.(\w+)", r"transfer.mlp.\1"),
)
"""MAFT+: its image tower was trained, so ``convert_checkpoint`` takes it with ``fill_visual=False``."""


@dataclass(frozen=True)
class Layout:
    """How a method's checkpoints are laid out.

    Args:
        rules: where each tensor goes.
        fill_visual: the image tower was frozen, so that one that is missing may come from the stock CLIP model.
    """

    rules: tuple[Rule, ...]
    fill_visual: bool = True


ADAPTER = "region_classifier.adapter."
MASK_ADAPTER_MODULE_RULES = (
    Rule(r"mask_adapter\.mask_downscaling\.(\d)\.(\w+)", ADAPTER + r"mask_embed.\1.\2"),
    Rule(r"mask_adapter\.fuse\.(\w+)", ADAPTER + r"fuse.\1"),
    *(
        Rule(rf"mask_adapter\.cnext{i + 1}\.{official}", ADAPTER + f"blocks.{i}.{ours}")
        for i in range(3)
        for official, ours in (
            (r"gamma", r"gamma"),
            (r"dwconv\.(\w+)", r"depthwise.\1"),
            (r"norm\.(\w+)", r"norm.\1"),
            (r"pwconv1\.(\w+)", r"mlp.0.\1"),
            (r"pwconv2\.(\w+)", r"mlp.2.\1"),
        )
    ),
    Rule(r"mask_adapter\.norm\.(\w+)", ADAPTER + r"norm.\1"),
    Rule(r"mask_adapter\.final\.(\w+)", ADAPTER + r"maps.\1"),
)
MASK_ADAPTER_RULES = (*MASK_ADAPTER_MODULE_RULES, *FCCLIP_RULES)

LAYOUTS = {
    "fc-clip": Layout(FCCLIP_RULES),
    "maft-plus": Layout(MAFT_PLUS_RULES, fill_visual=False),
    "mask-adapter": Layout(MASK_ADAPTER_RULES),
}


def rename(tensors: Mapping[str, Tensor], rules: Sequence[Rule]) -> tuple[dict[str, Tensor], list[ReportLine]]:
    """Tensors under our names, and a line for each.

    Raises:
        ValueError: names that no rule knows, or two that would become one.
    """
    out: dict[str, Tensor] = {}
    report, unknown = [], []
    for name, tensor in tensors.items():
        rule = next((rule for rule in rules if re.fullmatch(rule.pattern, name)), None)
        if rule is None:
            unknown.append(name)
            continue
        target = "" if rule.target is None else re.sub(rule.pattern, rule.target, name)
        report.append(ReportLine(name, target, rule.note))
        if not target:
            continue
        if target in out:
            raise ValueError(f"two tensors of the checkpoint would become {target}, the second is {name}")
        out[target] = tensor if rule.change is None else rule.change(tensor)
    if unknown:
        raise ValueError(f"{len(unknown)} tensor(s) of the checkpoint have no place here: {shorten(unknown)}")
    return out, report


def convert_checkpoint(
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    rules: Sequence[Rule] = FCCLIP_RULES,
    *,
    clip: Mapping[str, Tensor] | None = None,
    fill_visual: bool = True,
) -> Converted:
    """An official checkpoint as the state dict of a model of ours, and as the weights of its CLIP model.

    Args:
        tensors: flat official state dict (``read_state_dict`` takes wrappers off).
        model: the model that the weights are for; it is not changed.
        rules: the layout.
        clip: weights of the stock CLIP model (``visual.*`` and the text tower, in either of open_clip's layouts), to
            fill in what a checkpoint leaves out because it was frozen.
        fill_visual: False where the image tower was trained: only its text tower may be filled in.

    Raises:
        ValueError: with every key that is missing, unexpected, or of another shape.
    """
    renamed, report = rename(tensors, rules)
    state = {name: value for name, value in renamed.items() if not name.startswith(CLIP)}
    text = {name.removeprefix(CLIP): value for name, value in renamed.items() if name.startswith(CLIP)}
    expected = model.state_dict()
    stock = dict(clip or {})
    if fill_visual:
        for name in sorted(set(expected) - set(state)):
            own = name.removeprefix("backbone.")
            if own.startswith("visual.") and own in stock:
                state[name] = stock[own]
                report.append(ReportLine("", name, "filled from the stock CLIP model"))
    scale = "region_classifier.logit_scale"
    if scale in expected and scale not in state and "logit_scale" in stock:
        state[scale] = clamped_exp(stock["logit_scale"])
        report.append(ReportLine("", scale, "filled from the stock CLIP model"))
    for name, value in stock.items():
        plain = name.removeprefix("text.")
        if TEXT_NAME.match(name) and plain not in text and name not in text:
            text[plain] = value
            report.append(ReportLine("", CLIP + plain, "filled from the stock CLIP model"))
    _check(state, expected, text)
    visual = {name.removeprefix("backbone."): value for name, value in state.items() if ".visual." in name}
    whole = {**visual, **text} | ({"logit_scale": state[scale].log()} if scale in state else {})
    return Converted(state, whole, report)


def _check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> None:
    plain = {name.removeprefix("text.") for name in text}
    problems = {
        "missing": [name for name in expected if name not in state and not name.endswith("num_batches_tracked")],
        "unexpected": [name for name in state if name not in expected],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in expected
            if name in state and state[name].shape != expected[name].shape
        ],
        "missing of the text tower": [name for name in TEXT_KEYS if name not in plain],
    }
    if any(problems.values()):
        listed = "; ".join(f"{len(names)} {kind}: {shorten(names)}" for kind, names in problems.items() if names)
        remedy = ""
        frozen = [name for name in problems["missing"] if name.startswith(("backbone.visual.", "region_classifier."))]
        if frozen or problems["missing of the text tower"]:
            remedy = "; weights that were frozen come from the stock CLIP model: name it (--clip)"
        raise ValueError(f"the checkpoint does not fit the model: {listed}{remedy}")


def shorten(names: Sequence[str], count: int = 8) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
