"""Official RegionCLIP checkpoints as weights of ``OpenVocabTwoStageDetector`` and class embeddings.

Detectron2's names: ``backbone.*`` (CLIP's ResNet), ``roi_heads.box_predictor.*`` and the proposal network under
``offline_backbone.*`` and ``offline_proposal_generator.*``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

TAIL = ("layer4.", "attnpool.")
PREDICTOR = "roi_heads.box_predictor."
IGNORED = (
    "pixel_mean",
    "pixel_std",
    "num_batches_tracked",
    "anchor_generator.cell_anchors",
    "lang_encoder.",
    "teacher_",
    "concept_emb",
    f"{PREDICTOR}cls_bg_score.weight",
    f"{PREDICTOR}cls_score.bias",
    f"{PREDICTOR}test_cls_score.bias",
)
LAYER = {"conv1": "conv1", "conv2": "conv2", "conv3": "conv3", "shortcut": "downsample.0"}
NORM = {"conv1": "bn1", "conv2": "bn2", "conv3": "bn3", "shortcut": "downsample.1"}
RPN = {"conv": "rpn_conv", "objectness_logits": "rpn_cls", "anchor_deltas": "rpn_reg"}


@dataclass
class RegionCLIPWeights:
    """What a checkpoint holds, by the names of this library.

    Args:
        state: weights of the detector.
        train_rows: (K,D) embeddings of the training classes, or None.
        test_rows: (K',D) embeddings of the test classes, or None.
        has_proposals: the proposal network's weights are among ``state``.
        left_out: names that have no counterpart and need none.
    """

    state: dict[str, Tensor] = field(default_factory=dict)
    train_rows: Tensor | None = None
    test_rows: Tensor | None = None
    has_proposals: bool = False
    left_out: list[str] = field(default_factory=list)

    def report(self) -> str:
        """What was found and what is missing, in lines."""

        def said(rows: Tensor | None) -> str:
            return "none" if rows is None else f"{len(rows)} classes x {rows.shape[1]} channels"

        return "\n".join(
            [
                f"weights of the detector: {len(self.state)}",
                f"training class embeddings: {said(self.train_rows)}",
                f"test class embeddings: {said(self.test_rows)}",
                "proposal network: "
                + ("in the file" if self.has_proposals else "NOT in the file: set proposals.pretrained, or AP is zero"),
                "box regression: "
                + (
                    "in the file"
                    if any("fc_reg" in name for name in self.state)
                    else "NOT in the file: only zero-shot inference (box_delta=False) makes sense"
                ),
                f"left out: {', '.join(self.left_out) or 'nothing'}",
            ]
        )


def convert_regionclip(tensors: Mapping[str, Tensor]) -> RegionCLIPWeights:
    """Renames an official state dict.

    Raises:
        ValueError: names that are not known, each listed, or no CLIP ResNet in the file.
    """
    found, unknown = RegionCLIPWeights(), []
    for name, value in tensors.items():
        name = name.removeprefix("module.")
        if any(part in name for part in IGNORED):
            if name == f"{PREDICTOR}cls_bg_score.weight" and value.any():
                raise ValueError("cls_bg_score of this file is not zero: set classifier.background='learned' and train")
            found.left_out.append(name)
        elif name == f"{PREDICTOR}cls_score.weight":
            found.train_rows = value
        elif name == f"{PREDICTOR}test_cls_score.weight":
            found.test_rows = value
        elif (new := rename(name)) is not None:
            found.state[new] = value
        else:
            unknown.append(name)
    if unknown:
        raise ValueError(
            f"{len(unknown)} names are not those of a RegionCLIP detector on a CLIP ResNet: {sorted(unknown)[:10]}"
        )
    if not any(name.startswith("backbone.visual.layer1.") for name in found.state):
        raise ValueError(f"no CLIP ResNet (backbone.layer1.*) in the file, got {sorted(tensors)[:10]}")
    found.has_proposals = any(name.startswith("proposals.") for name in found.state)
    return found


def rename(name: str) -> str | None:
    """Our name of an official weight; None where there is none."""
    head, _, rest = name.partition(".")
    if head in ("backbone", "visual"):
        if rest.startswith(TAIL):
            return f"roi_head.bbox_roi_extractor.{rest}"
        known = re.match(r"(conv|bn)[123]\.|layer[123]\.", rest)
        return f"backbone.visual.{rest}" if known else None
    if name.startswith(f"{PREDICTOR}bbox_pred."):
        return f"roi_head.bbox_head.fc_reg.{name.rpartition('.')[2]}"
    if head == "offline_backbone":
        return _resnet(rest)
    if name.startswith("offline_proposal_generator.rpn_head."):
        layer, kind = name.split(".")[-2:]
        return f"proposals.rpn_head.{RPN[layer]}.{kind}" if layer in RPN else None
    return None


def _resnet(rest: str) -> str | None:
    """Detectron2's ResNet FPN to mmdet's."""
    if found := re.fullmatch(r"fpn_(lateral|output)([2345])\.(weight|bias)", rest):
        part = "lateral_convs" if found[1] == "lateral" else "fpn_convs"
        return f"proposals.neck.{part}.{int(found[2]) - 2}.conv.{found[3]}"
    if found := re.fullmatch(r"bottom_up\.stem\.conv1\.(norm\.)?(\w+)", rest):
        return f"proposals.backbone.{'bn1' if found[1] else 'conv1'}.{found[2]}"
    if found := re.fullmatch(r"bottom_up\.res([2345])\.(\d+)\.(conv[123]|shortcut)\.(norm\.)?(\w+)", rest):
        layer = (NORM if found[4] else LAYER)[found[3]]
        return f"proposals.backbone.layer{int(found[1]) - 1}.{found[2]}.{layer}.{found[5]}"
    return None
