"""Averages student and teacher of a CLIPSelf training into weights that every backbone here takes as ``pretrained``.

python tools/model_converters/clipself_weights.py work_dirs/NAME/iter_N.pth checkpoints/clipself.safetensors --alpha 0.7
python tools/model_converters/clipself_weights.py CLIPSELF.pt checkpoints/clipself_eva.safetensors

The file remembers which CLIP it was distilled from, so that this CLIP's text encoder goes with it.
The second form reads a checkpoint of github.com/wusize/CLIPSelf (its weights are averaged already) and renames them.
Give it ``--clip EVA02-B-16:merged2b_s8b_b131k``, the CLIP that it began with.
"""

import argparse
from pathlib import Path

from mmengine.config import Config
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import CheckpointError, read_checkpoint
from ovdense.functional.self_distillation import average_weights
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.backbones.open_clip_loader import custom_text_layout, load_clip

STUDENT, TEACHER = "student.", "teacher."


def part(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def read_weights(source: Path) -> tuple[dict, dict]:
    """Weights and meta data of a checkpoint of a training here, or weights of any file."""
    try:
        return read_checkpoint(source)
    except CheckpointError:
        return read_state_dict(source), {}


def origin(meta: dict) -> str | None:
    """``MODEL`` or ``MODEL:PRETRAINED`` of the backbone in a training's config."""
    if not isinstance(meta.get("cfg"), str):
        return None
    backbone = Config.fromstring(meta["cfg"], ".py").model.backbone
    if not isinstance(backbone.get("model"), str):
        return None
    return f"{backbone.model}:{backbone.pretrained}" if backbone.get("pretrained") else backbone.model


def convert(source: Path, out: Path, alpha: float, clip: str | None = None) -> dict[str, int]:
    """Writes the weights and returns how many there are of each tower.

    Raises:
        ValueError: the file holds neither a training of CLIPSelf nor an image tower, or alpha is not in [0, 1].
    """
    tensors, meta = read_weights(source)
    clip = clip or origin(meta)
    student, teacher = part(tensors, STUDENT), part(tensors, TEACHER)
    if student and teacher:
        weights = average_weights(student, teacher, alpha)
    else:
        weights = custom_text_layout(tensors)
    if not any(name.startswith("visual.") for name in weights):
        raise ValueError(f"{source} is no checkpoint of CLIPSelf: it has no visual.*, got {sorted(tensors)[:4]}")
    metadata = {"format": "pt"}
    if clip is not None:
        model, _, pretrained = clip.partition(":")
        metadata.update(clip=clip, text_digest=load_clip(model, pretrained or None).digest or "random")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in weights.items()}, out, metadata)
    towers = [name.split(".")[0] for name in weights]
    return {tower: towers.count(tower) for tower in dict.fromkeys(towers)}


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="weights to write (.safetensors)")
    parser.add_argument("--alpha", type=float, default=0.7, help="the student's share; 0.7 in the official code")
    parser.add_argument("--clip", help="MODEL or MODEL:PRETRAINED it was distilled from, where the file does not say")
    args = parser.parse_args(argv)
    try:
        counts = convert(args.source, args.out, args.alpha, args.clip)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"wrote {args.out}: " + ", ".join(f"{count} weights of {tower}" for tower, count in counts.items()))


if __name__ == "__main__":
    main()
