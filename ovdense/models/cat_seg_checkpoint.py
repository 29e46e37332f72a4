"""Official checkpoints of CAT-Seg under our names; every key is accounted for."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ovdense.models.mask_checkpoints import CLIP, Converted, ReportLine, Rule, rename, shorten

AGGREGATOR = r"sem_seg_head\.predictor\.transformer\."
OURS = "decode_head.aggregator."
RECOMPUTED = "recomputed for every grid"

AGGREGATOR_RULES = (
    Rule(AGGREGATOR + r"conv1\.(\w+)", OURS + r"cost_embed.\1"),
    Rule(AGGREGATOR + r"guidance_projection\.0\.(\w+)", OURS + r"image_guidance.\1"),
    Rule(AGGREGATOR + r"text_guidance_projection\.0\.(\w+)", OURS + r"text_guidance.\1"),
    Rule(AGGREGATOR + r"decoder_guidance_projection\.(\d)\.0\.(\w+)", OURS + r"decoder_guidance.\1.\2"),
    Rule(AGGREGATOR + r"layers\.(\d+)\.swin_block\.guidance_norm\.(\w+)", OURS + r"layers.\1.guidance_norm.\2"),
    Rule(AGGREGATOR + r"layers\.\d+\.swin_block\.block_\d\.attn_mask", None, RECOMPUTED),
    *(
        Rule(
            AGGREGATOR + rf"layers\.(\d+)\.swin_block\.block_{block + 1}\.{official}\.(\w+)",
            OURS + rf"layers.\1.spatial.{block}.{ours}",
        )
        for block in (0, 1)
        for official, ours in (
            (r"(norm1|norm2)", r"\2.\3"),
            (r"attn\.(q|k|v|proj)", r"\2.\3"),
            (r"mlp\.fc1", r"mlp.0.\2"),
            (r"mlp\.fc2", r"mlp.2.\2"),
        )
    ),
    Rule(
        AGGREGATOR + r"layers\.(\d+)\.attention\.(padding_tokens|padding_guidance)",
        OURS + r"layers.\1.classes.\2",
    ),
    Rule(AGGREGATOR + r"layers\.(\d+)\.attention\.attention\.(q|k|v)\.(\w+)", OURS + r"layers.\1.classes.\2.\3"),
    Rule(AGGREGATOR + r"layers\.(\d+)\.attention\.MLP\.(\d)\.(\w+)", OURS + r"layers.\1.classes.mlp.\2.\3"),
    Rule(AGGREGATOR + r"layers\.(\d+)\.attention\.(norm1|norm2)\.(\w+)", OURS + r"layers.\1.classes.\2.\3"),
    *(Rule(AGGREGATOR + rf"decoder{i + 1}\.up\.(\w+)", OURS + rf"decoder.{i}.up.\1") for i in (0, 1)),
    *(
        Rule(AGGREGATOR + rf"decoder{i + 1}\.conv\.double_conv\.(\d)\.(\w+)", OURS + rf"decoder.{i}.convs.\1.\2")
        for i in (0, 1)
    ),
    Rule(AGGREGATOR + r"head\.(\w+)", OURS + r"head.\1"),
)
CAT_SEG_RULES = (
    *AGGREGATOR_RULES,
    Rule(r"upsample1\.(\w+)", r"decode_head.upsample.0.\1"),
    Rule(r"upsample2\.(\w+)", r"decode_head.upsample.1.\1"),
    Rule(r"sem_seg_head\.predictor\.clip_model\.(visual\..+)", r"backbone.\1"),
    Rule(r"sem_seg_head\.predictor\.clip_model\.logit_scale", None, "cosines are used as they are"),
    Rule(r"sem_seg_head\.predictor\.clip_model\.(.+)", CLIP + r"\1", "text tower"),
    Rule(r"(clip_)?pixel_(mean|std)", None, "the data preprocessor has them"),
    Rule(r"sem_seg_head\.predictor\.text_features(_test)?", None, "made from names when they are needed"),
)


def join_projections(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The three input projections of every attention as one ``in_proj_weight``.

    Raises:
        ValueError: an attention that has some of the three.
    """
    out = dict(tensors)
    stems = {match[1] for name in tensors if (match := re.fullmatch(r"(.+\.)[qkv]_proj_weight", name))}
    for stem in sorted(stems):
        names = [f"{stem}{part}_proj_weight" for part in "qkv"]
        missing = [name for name in names if name not in tensors]
        if missing:
            raise ValueError(f"the checkpoint has no {shorten(missing)} beside the other projections of {stem}")
        out[f"{stem}in_proj_weight"] = torch.cat([out.pop(name) for name in names])
    return out


def split_projections(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Joint ``in_proj_weight``s as three input projections each."""
    return {
        f"{name.removesuffix('in_proj_weight')}{part}_proj_weight": weight
        for name, tensor in tensors.items()
        for part, weight in zip("qkv", tensor.chunk(3))
    }


def convert_cat_seg(tensors: Mapping[str, Tensor], model: nn.Module) -> Converted:
    """An official checkpoint as the state dict of a model of ours, its projections laid out as the model has them.

    Both towers were fine-tuned, so that nothing is filled in from elsewhere.

    Args:
        tensors: flat official state dict (``read_state_dict`` takes wrappers off).
        model: the ``CATSegmentor`` that the weights are for; it is not changed.

    Raises:
        ValueError: with every key that is missing, unexpected, or of another shape.
    """
    renamed, report = rename(tensors, CAT_SEG_RULES)
    expected = model.state_dict()
    state = {name: value for name, value in renamed.items() if not name.startswith(CLIP)}
    text = join_projections(
        {name.removeprefix(CLIP): value for name, value in renamed.items() if name.startswith(CLIP)}
    )
    visual = join_projections({name: value for name, value in state.items() if name.startswith("backbone.")})
    clip = {**{name.removeprefix("backbone."): value for name, value in visual.items()}, **text}
    inner = any(name.startswith("text_tower.") for name in expected)
    whole = {name: value for name, value in state.items() if not name.startswith("backbone.")} | visual
    if inner:
        whole |= {f"text_tower.{name}": value for name, value in text.items()}
    for name in [name for name in whole if name.endswith("in_proj_weight") and name not in expected]:
        whole |= split_projections({name: whole.pop(name)})
    _check(whole, expected)
    if not inner:
        report.append(ReportLine("", "", "the text tower goes to the CLIP file: name it as text_encoder.pretrained"))
    return Converted(whole, clip, report)


def _check(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    problems = {
        "missing": [name for name in expected if name not in state],
        "unexpected": [name for name in state if name not in expected],
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in expected
            if name in state and state[name].shape != expected[name].shape
        ],
    }
    if any(problems.values()):
        listed = "; ".join(f"{len(names)} {kind}: {shorten(names)}" for kind, names in problems.items() if names)
        raise ValueError(f"the checkpoint does not fit the model: {listed}")
