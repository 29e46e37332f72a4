"""Official checkpoints of DenseCLIP (mmseg 0.x and mmdet 2.x layout) under our names; every key is accounted for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ovdense.models.mask_checkpoints import Converted, ReportLine, Rule, rename, shorten

DENSECLIP_RULES = (
    Rule(r"backbone\.(fpn[1-4]\..+)", r"pyramid.\1"),
    Rule(r"backbone\.(.+)", r"backbone.visual.\1"),
    Rule(r"text_encoder\.(.+)", r"prompts.text.tower.\1"),
    Rule(r"contexts", "prompts.text.words"),
    Rule(r"gamma", "prompts.gamma"),
    Rule(r"context_decoder\.(.+)", r"prompts.context_decoder.\1"),
    Rule(r"((?:decode_head|neck|bbox_head|rpn_head|roi_head)\..+)", r"\1"),
    Rule(r"identity_head\..+", None, "the loss on the score maps has no weights"),
)


def convert_denseclip(tensors: Mapping[str, Tensor], model: nn.Module) -> Converted:
    """An official checkpoint as the state dict of a DenseCLIP model of ours.

    Args:
        tensors: flat official state dict (``read_state_dict`` takes wrappers off).
        model: the segmentor or detector that the weights are for; it is not changed.

    Raises:
        ValueError: with every key that is missing, unexpected, or of another shape.
    """
    state, report = rename(tensors, DENSECLIP_RULES)
    expected = model.state_dict()
    projection = "prompts.text.tower.text_projection"
    if f"{projection}.weight" in expected and projection in state:
        state[f"{projection}.weight"] = state.pop(projection).t()
        report.append(ReportLine(projection, f"{projection}.weight", "transposed"))
    for name in expected:
        if name.endswith("num_batches_tracked") and name not in state:
            state[name] = torch.zeros_like(expected[name])
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
    return Converted(state, {}, report)
