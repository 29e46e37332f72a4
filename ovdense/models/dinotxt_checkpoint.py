"""Official dino.txt weights, in each of the forms that they are published in, taken apart into their sides.

=============================== =============================================================================
file                            keys
=============================== =============================================================================
DINOv2, ``..._vision_head``     ``block_list.*``, ``ln_final.*``
DINOv2, ``..._text_encoder``    ``backbone.*``, ``head.*``
DINOv3, both in one             ``visual_model.head.*``, ``text_model.*``, ``logit_scale``
a whole model                   the same and ``visual_model.backbone.*`` (DINOv2: ``visual_model.backbone.model.*``)
=============================== =============================================================================
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ovdense.models.backbones.checkpoint import file_digest, read_state_dict, tensors_digest

Source = str | Path | Mapping[str, Tensor] | Sequence[str | Path]

SIDES = (  # (pattern of a key, side); what the pattern takes is cut off
    (r"visual_model\.backbone\.(model\.)?", "trunk"),
    (r"visual_model\.head\.", "head"),
    (r"text_model\.", "text"),
    (r"(?=(block_list|ln_final|linear_projection)\.)", "head"),
    (r"(?=(backbone|head)\.)", "text"),
)


@dataclass(frozen=True)
class DINOTxtWeights:
    """The sides of a checkpoint, each by its own official names; a side that the files lack is empty.

    Args:
        source: where the weights came from, for messages.
        space: id of the text space, the same for both sides of the same files.
        trunk: of the frozen DINO.
        head: of the vision head.
        text: of the text encoder.
        logit_scale: factor of the cosines in training (not its logarithm); 1 / 0.07 where none is given.
    """

    source: str
    space: str
    trunk: dict[str, Tensor] = field(default_factory=dict)
    head: dict[str, Tensor] = field(default_factory=dict)
    text: dict[str, Tensor] = field(default_factory=dict)
    logit_scale: float = 1 / 0.07

    def need(self, side: str) -> dict[str, Tensor]:
        """A side that must be there; ValueError names the files and says what is wanted."""
        tensors = getattr(self, side)
        if not tensors:
            raise ValueError(
                f"{self.source} holds no {side} weights of dino.txt: for DINOv2 name both files, "
                "pretrained=('..._vision_head.pth', '..._text_encoder.pth')"
            )
        return tensors


def read_dinotxt(source: Source) -> DINOTxtWeights:
    """Official weights from one file, several files or a state dict.

    Raises:
        FileNotFoundError: no such file.
        ValueError: keys that belong to no side, or one key in two files.
    """
    if isinstance(source, Mapping):
        parts, names, digests = [dict(source)], "the state dict", [tensors_digest(source)]
    else:
        paths = [Path(path) for path in ([source] if isinstance(source, (str, Path)) else source)]
        parts = [read_state_dict(path) for path in paths]
        names, digests = ", ".join(map(str, paths)), [file_digest(path) for path in paths]
    sides: dict[str, dict[str, Tensor]] = dict(trunk={}, head={}, text={})
    scale, unknown = math.log(1 / 0.07), []
    for tensors in parts:
        for key, tensor in tensors.items():
            if key in ("logit_scale", "logit_bias"):
                scale = float(tensor.reshape(-1)[0]) if key == "logit_scale" else scale
                continue
            side, name = _place(key)
            if side is None:
                unknown.append(key)
            elif name in sides[side]:
                raise ValueError(f"{names} hold {key!r} twice: name each file once")
            else:
                sides[side][name] = tensor
    if unknown:
        raise ValueError(
            f"{names} is no dino.txt checkpoint: {len(unknown)} keys belong neither to visual_model nor to text_model: "
            f"{', '.join(sorted(unknown)[:5])}"
        )
    digest = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:16]
    return DINOTxtWeights(names, f"dinotxt/{digest}", **sides, logit_scale=math.exp(scale))


def _place(key: str) -> tuple[str | None, str]:
    for pattern, side in SIDES:
        found = re.match(pattern, key)
        if found:
            return side, key[found.end() :]
    return None, key
