"""Official SAN checkpoints under the names of mmseg's modules; the order of keys does not matter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from ovdense.models.mask_checkpoints import CLIP, Converted, Rule, rename, shorten

SIDE = r"side_adapter_network\."
OURS = "decode_head.side_adapter_network."
RECOGNITION = "decode_head.rec_with_attnbias."


def _transposed(tensor: Tensor) -> Tensor:
    return tensor.T.contiguous()


SAN_RULES = (
    Rule(r"clip_visual_extractor\.class_embedding", "image_encoder.cls_token", change=lambda x: x[None, None]),
    Rule(r"clip_visual_extractor\.positional_embedding", "image_encoder.pos_embed", change=lambda x: x[None]),
    Rule(r"clip_visual_extractor\.conv1\.weight", "image_encoder.patch_embed.projection.weight"),
    Rule(r"clip_visual_extractor\.ln_pre\.(\w+)", r"image_encoder.ln_pre.\1"),
    *(
        Rule(rf"clip_visual_extractor\.resblocks\.(\d+)\.{official}\.(.+)", rf"image_encoder.layers.\1.{ours}.\2")
        for official, ours in (
            (r"ln_1", "ln1"),
            (r"ln_2", "ln2"),
            (r"attn", "attn.attn"),
            (r"mlp\.c_fc", "ffn.layers.0.0"),
            (r"mlp\.c_proj", "ffn.layers.1"),
        )
    ),
    Rule(SIDE + r"vit_model\.blocks\.(\d+)\.attn\.qkv\.(\w+)", OURS + r"encode_layers.\1.attn.attn.in_proj_\2"),
    *(
        Rule(SIDE + rf"vit_model\.blocks\.(\d+)\.{official}\.(\w+)", OURS + rf"encode_layers.\1.{ours}.\2")
        for official, ours in (
            (r"norm1", "ln1"),
            (r"norm2", "ln2"),
            (r"attn\.proj", "attn.attn.out_proj"),
            (r"mlp\.fc1", "ffn.layers.0.0"),
            (r"mlp\.fc2", "ffn.layers.1"),
        )
    ),
    Rule(SIDE + r"vit_model\.pos_embed", OURS + "pos_embed"),
    Rule(SIDE + r"vit_model\.patch_embed\.proj\.(\w+)", OURS + r"patch_embed.projection.\1"),
    Rule(SIDE + r"(query_embed|query_pos_embed)", OURS + r"\1"),
    Rule(SIDE + r"fusion_layers\.layer_(\d+)\.input_proj\.0\.(\w+)", OURS + r"conv_clips.\1.0.\2"),
    Rule(SIDE + r"fusion_layers\.layer_(\d+)\.input_proj\.1\.(\w+)", OURS + r"conv_clips.\1.1.conv.\2"),
    Rule(SIDE + r"mask_decoder\.(.+)", OURS + r"mask_decoder.\1"),
    Rule(r"clip_rec_head\.proj", RECOGNITION + "proj.weight", "transposed", _transposed),
    Rule(r"clip_rec_head\.ln_post\.(\w+)", RECOGNITION + r"ln_post.\1"),
    *(
        Rule(rf"clip_rec_head\.resblocks\.(\d+)\.{official}\.(.+)", RECOGNITION + rf"layers.\1.{ours}.\2")
        for official, ours in (
            (r"ln_1", "norms.0"),
            (r"ln_2", "norms.1"),
            (r"attn", "attentions.0.attn"),
            (r"mlp\.c_fc", "ffns.0.layers.0.0"),
            (r"mlp\.c_proj", "ffns.0.layers.1"),
        )
    ),
    Rule(r"ov_classifier\.bg_embed", "bg_embed"),
    Rule(r"ov_classifier\.logit_scale", "logit_scale"),
    Rule(r"ov_classifier\.attn_mask", None, "follows from the context length"),
    Rule(r"ov_classifier\.(.+)", CLIP + r"\1", "text tower"),
    Rule(r"criterion\..+", None, "follows from the vocabulary"),
    Rule(r"pixel_(mean|std)", None, "the data preprocessor has them"),
)


def clip_state(visual: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """An open_clip image tower's weights, the first ``depth`` blocks in the encoder and the rest in the head."""
    official = {}
    for name, tensor in visual.items():
        block = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
        if block and int(block[1]) >= depth:
            official[f"clip_rec_head.resblocks.{int(block[1]) - depth}.{block[2]}"] = tensor
        elif name == "proj" or name.startswith("ln_post."):
            official[f"clip_rec_head.{name}"] = tensor
        else:
            official[f"clip_visual_extractor.{name.removeprefix('transformer.')}"] = tensor
    return rename(official, SAN_RULES)[0]


def convert_san(tensors: Mapping[str, Tensor], model: nn.Module) -> Converted:
    """An official checkpoint as the state dict of a ``SANSegmentor``, and its text tower as a CLIP model's weights.

    Raises:
        ValueError: names without a place, or with every key that is missing, unexpected, or of another shape.
    """
    renamed, report = rename(tensors, SAN_RULES)
    state = {name: value for name, value in renamed.items() if not name.startswith(CLIP)}
    text = {name.removeprefix(CLIP): value for name, value in renamed.items() if name.startswith(CLIP)}
    expected = model.state_dict()
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
    return Converted(state, text, report)
