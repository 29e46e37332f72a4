"""Checkpoints of CLIPSeg, official or of transformers, under our names; every key is accounted for.

The decoder becomes the model's state dict. Where a checkpoint holds the frozen CLIP as well, that becomes a CLIP
file in OpenAI's layout, for ``pretrained`` of the backbone and the text encoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ovdense.models.mask_checkpoints import CLIP, Converted, ReportLine, Rule, rename, shorten

HEAD = "decode_head."

OFFICIAL_RULES = (
    Rule(r"(film_mul|film_add|reduces\.\d+|blocks\.\d+\..+?)\.(weight|bias)", HEAD + r"\1.\2"),
    Rule(r"(blocks\.\d+\.self_attn)\.(in_proj_weight|in_proj_bias)", HEAD + r"\1.\2"),
    Rule(r"trans_conv\.((?:\d\.)?\w+)", HEAD + r"upsample.\1"),
    Rule(r"reduce\.(weight|bias)", None, "the official forward pass does not use it"),
    Rule(r"(?:reduce2|upsample_proj|prompt|base_prompt|shift_vector|addition|token_shape|version)\b.*", None, "unused"),
    Rule(r"clip_model\.(.+)", CLIP + r"\1", "frozen"),
    Rule(r"model\.(.+)", CLIP + r"visual.\1", "frozen; what the official forward pass runs"),
)

DECODER = r"decoder\."
BLOCK = DECODER + r"layers\.(\d+)\."
LAYER = r"\.encoder\.layers\.(\d+)\."
TRANSFORMERS_RULES = (
    Rule(DECODER + r"(film_mul|film_add|reduces\.\d+)\.(\w+)", HEAD + r"\1.\2"),
    Rule(DECODER + r"transposed_convolution\.((?:\d\.)?\w+)", HEAD + r"upsample.\1"),
    Rule(BLOCK + r"self_attn\.([qkv])_proj\.(weight|bias)", HEAD + r"blocks.\1.self_attn.in_proj_\3@\2"),
    Rule(BLOCK + r"self_attn\.out_proj\.(\w+)", HEAD + r"blocks.\1.self_attn.out_proj.\2"),
    Rule(BLOCK + r"layer_norm([12])\.(\w+)", HEAD + r"blocks.\1.norm\2.\3"),
    Rule(BLOCK + r"mlp\.fc([12])\.(\w+)", HEAD + r"blocks.\1.linear\2.\3"),
    Rule(r"clip\.(?:vision|text)_model\.embeddings\.position_ids", None, "counts from 0"),
    Rule(r"clip\.logit_scale", CLIP + "logit_scale"),
    Rule(r"clip\.visual_projection\.weight", CLIP + "visual.proj", "", Tensor.t),
    Rule(r"clip\.text_projection\.weight", CLIP + "text_projection", "", Tensor.t),
    Rule(r"clip\.vision_model\.embeddings\.class_embedding", CLIP + "visual.class_embedding"),
    Rule(r"clip\.vision_model\.embeddings\.patch_embedding\.weight", CLIP + "visual.conv1.weight"),
    Rule(r"clip\.vision_model\.embeddings\.position_embedding\.weight", CLIP + "visual.positional_embedding"),
    Rule(r"clip\.vision_model\.pre_?layrnorm\.(\w+)", CLIP + r"visual.ln_pre.\1"),
    Rule(r"clip\.vision_model\.post_layernorm\.(\w+)", CLIP + r"visual.ln_post.\1"),
    Rule(r"clip\.text_model\.embeddings\.token_embedding\.weight", CLIP + "token_embedding.weight"),
    Rule(r"clip\.text_model\.embeddings\.position_embedding\.weight", CLIP + "positional_embedding"),
    Rule(r"clip\.text_model\.final_layer_norm\.(\w+)", CLIP + r"ln_final.\1"),
    *(
        Rule(rf"clip\.{official}_model" + LAYER + pattern, CLIP + ours + r"transformer.resblocks.\1." + target)
        for official, ours in (("vision", "visual."), ("text", ""))
        for pattern, target in (
            (r"self_attn\.([qkv])_proj\.(weight|bias)", r"attn.in_proj_\3@\2"),
            (r"self_attn\.out_proj\.(\w+)", r"attn.out_proj.\2"),
            (r"layer_norm([12])\.(\w+)", r"ln_\2.\3"),
            (r"mlp\.fc1\.(\w+)", r"mlp.c_fc.\2"),
            (r"mlp\.fc2\.(\w+)", r"mlp.c_proj.\2"),
        )
    ),
)


def join_parts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Projections that are stored apart, ``NAME@q``, ``NAME@k``, ``NAME@v``, as one ``NAME``."""
    out = {name: tensor for name, tensor in tensors.items() if "@" not in name}
    for stem in dict.fromkeys(name.partition("@")[0] for name in tensors if "@" in name):
        missing = [part for part in "qkv" if f"{stem}@{part}" not in tensors]
        if missing:
            raise ValueError(f"the checkpoint has no {', '.join(missing)} projection beside the others of {stem}")
        out[stem] = torch.cat([tensors[f"{stem}@{part}"] for part in "qkv"])
    return out


def _without_second_tower(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Official full state dicts hold the image tower twice, as ``model`` and inside ``clip_model``: only the first."""
    if not any(name.startswith("model.") for name in tensors):
        return dict(tensors), []
    twice = [name for name in tensors if name.startswith("clip_model.visual.")]
    return {name: value for name, value in tensors.items() if name not in twice}, twice


def convert_clipseg(tensors: Mapping[str, Tensor], model: nn.Module) -> Converted:
    """A checkpoint in the official layout or that of transformers' ``CLIPSegForImageSegmentation``.

    Args:
        tensors: flat state dict (``read_state_dict`` takes wrappers off).
        model: the ``CLIPSegmentor`` that the weights are for; it is not changed.

    Raises:
        ValueError: with every key that is missing, unexpected, or of another shape.
    """
    theirs = any(name.startswith("decoder.") for name in tensors)
    tensors, twice = _without_second_tower(tensors)
    renamed, report = rename(tensors, TRANSFORMERS_RULES if theirs else OFFICIAL_RULES)
    report += [ReportLine(name, "", "the image tower, which lies under model.* too") for name in twice]
    renamed = join_parts(renamed)
    state = {name: value for name, value in renamed.items() if name.startswith(HEAD)}
    clip = {name.removeprefix(CLIP): value for name, value in renamed.items() if name.startswith(CLIP)}
    expected = {name: value for name, value in model.state_dict().items() if name.startswith(HEAD)}
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
    if not clip:
        report.append(ReportLine("", "", "the checkpoint holds no CLIP: the config's own is used, as it was frozen"))
    return Converted(state, clip, report)
