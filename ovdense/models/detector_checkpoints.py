"""Official checkpoints of region-text detectors by our names: F-ViT (mmdet 2) and ovdet (mmdet 3).

Everything that is left out is named with its reason; what nobody knows ends the conversion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ovdense.models.backbones.checkpoint import plain_state_dict

FVIT_BOX = "roi_head.bbox_head."


@dataclass
class Imported:
    """Weights by our names, and what was left out: official name -> reason."""

    weights: dict[str, Tensor]
    left_out: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """What was taken and what was not, a line each."""
        lines = [f"{len(self.weights)} weights taken"]
        reasons: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(name)
        lines += [f"{len(names)} left out, {reason}: {', '.join(names[:3])}" for reason, names in reasons.items()]
        return "\n".join(lines)


def fvit_bbox_head(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float | None]:
    """Weights of F-ViT's box head for ``TextConvFCBBoxHead``, and the learned temperature, None if it was fixed."""
    kept = {
        name: value
        for name, value in tensors.items()
        if not name.startswith(("fc_cls.", "all_embeddings", "detect_temperature", "bg_embedding"))
    }
    if "bg_embedding" in tensors:
        kept["fc_cls.background_row"] = tensors["bg_embedding"].flatten()
    if "detect_temperature" not in tensors:
        return kept, None
    kept["fc_cls.logit_scale"] = tensors["detect_temperature"]
    return kept, float(tensors["detect_temperature"])


def baron_bbox_head(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of ovdet's box heads, BARON's and its ensemble, for ``PseudoWordClassifier``; class embeddings go."""
    kept = {}
    for name, value in tensors.items():
        name = name.replace("kd.", "kd_", 1) if name.startswith("kd.") else name
        if name in ("cls_embeddings", "is_base") or name == "bg_embedding" or name.startswith("bg_embedding."):
            continue
        for head in ("fc_cls.", "kd_fc_cls."):
            if name.startswith(head):
                name = f"{head}projection.{name.removeprefix(head)}"
                break
        kept[name] = value
    if "bg_embedding.weight" in tensors:
        row = tensors["bg_embedding.weight"][:, 0] + tensors["bg_embedding.bias"]
        for head in ("fc_cls", "kd_fc_cls"):
            if f"{head}.projection.weight" in kept:
                kept[f"{head}.background_row"] = row
    return kept


def from_fvit(checkpoint) -> Imported:
    """A checkpoint of F-ViT by the names of ``FrozenVLMDetector`` with ``ViTPyramid``.

    The frozen EVA is left out, because the detector's backbone brings its own weights: convert it with
    ``tools/model_converters/clipself_weights.py``.

    Raises:
        ValueError: it has weights that no F-ViT has, or lacks those of a part.
    """
    tensors = plain_state_dict(checkpoint, "the checkpoint")
    result, unknown = Imported({}), []
    box = {name.removeprefix(FVIT_BOX): value for name, value in tensors.items() if name.startswith(FVIT_BOX)}
    head, _ = fvit_bbox_head(box)
    result.weights.update({FVIT_BOX + name: value for name, value in head.items()})
    for name, value in tensors.items():
        if name.startswith(FVIT_BOX):
            short = name.removeprefix(FVIT_BOX)
            if short.startswith("fc_cls."):
                result.left_out[name] = "the official code makes this layer and never uses it"
            elif short == "all_embeddings":
                result.left_out[name] = "class embeddings follow the vocabulary"
        elif name.startswith("backbone.interpolate"):
            result.weights[f"neck.{name.removeprefix('backbone.')}"] = value
        elif name.startswith("backbone."):
            result.left_out[name] = "the frozen CLIP comes from its own file"
        elif name.startswith("neck."):
            result.weights[f"neck.fpn.{name.removeprefix('neck.')}"] = value
        elif name.startswith(("rpn_head.", "roi_head.mask_head.")):
            result.weights[name] = value
        else:
            unknown.append(name)
    missing = [part for part in ("neck.interpolate1.", "neck.fpn.", "rpn_head.", FVIT_BOX) if not _has(result, part)]
    if unknown or missing:
        raise ValueError(
            "this is no checkpoint of F-ViT: "
            + (f"it has no weights of {', '.join(missing)}; " if missing else "")
            + (f"{len(unknown)} are not known: {', '.join(unknown[:4])}" if unknown else "")
        )
    return result


OVDET_BOX = "roi_head.bbox_head."
OVDET_LEFT_OUT = {
    "roi_head.clip.": "the frozen CLIP comes from its own file",
}
OVDET_PLACES = re.compile(r"roi_head\.baron_\w+\.positional_embed\.pos_proj\.")


def from_ovdet(checkpoint) -> Imported:
    """A checkpoint of ovdet (BARON on Faster or Mask R-CNN, FPN or C4) by the names of ``OpenVocabTwoStageDetector``.

    Raises:
        ValueError: it has weights that no such detector has, or lacks those of a part.
    """
    tensors = plain_state_dict(checkpoint, "the checkpoint")
    result, unknown = Imported({}), []
    box = {name.removeprefix(OVDET_BOX): value for name, value in tensors.items() if name.startswith(OVDET_BOX)}
    head = baron_bbox_head(box)
    result.weights.update({OVDET_BOX + name: value for name, value in head.items()})
    for name, value in tensors.items():
        reason = next((reason for prefix, reason in OVDET_LEFT_OUT.items() if name.startswith(prefix)), None)
        if name.startswith(OVDET_BOX):
            if (short := name.removeprefix(OVDET_BOX)) in ("cls_embeddings", "is_base"):
                result.left_out[name] = "classes and their groups follow the vocabulary"
            elif short == "cls_bias":
                result.left_out[name] = "it moves the logits of training alone"
            elif short == "bg_embedding":
                result.left_out[name] = "a background of zeros is classifier.background='zero'"
        elif reason:
            result.left_out[name] = reason
        elif OVDET_PLACES.match(name):
            result.weights[OVDET_PLACES.sub("distiller.position.", name)] = value
        elif name.startswith(("backbone.", "neck.", "rpn_head.", "roi_head.shared_head.", "roi_head.mask_head.")):
            result.weights[name] = value
        else:
            unknown.append(name)
    result.weights.pop(f"{OVDET_BOX}cls_bias", None)
    needed = ("backbone.", "rpn_head.", f"{OVDET_BOX}fc_cls.projection.", f"{OVDET_BOX}fc_reg.")
    missing = [part for part in needed if not _has(result, part)]
    if unknown or missing:
        raise ValueError(
            "this is no checkpoint of ovdet: "
            + (f"it has no weights of {', '.join(missing)}; " if missing else "")
            + (f"{len(unknown)} are not known: {', '.join(unknown[:4])}" if unknown else "")
        )
    return result


def _has(imported: Imported, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in imported.weights)
