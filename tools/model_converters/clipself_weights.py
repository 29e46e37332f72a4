"""Averages student and teacher of a CLIPSelf training into weights that every backbone here takes as ``pretrained``.

python tools/model_converters/clipself_weights.py work_dirs/NAME/iter_N.pth checkpoints/clipself.safetensors --alpha 0.7
python tools/model_converters/clipself_weights.py CLIPSELF.pt checkpoints/clipself_eva.safetensors

The second form reads a checkpoint of github.com/wusize/CLIPSelf (its weights are averaged already) and renames them.
Weights that CLIPSelf does not train, and the text tower, are the CLIP's own.
"""

import argparse
from pathlib import Path

from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import CheckpointError, read_checkpoint
from ovdense.functional.self_distillation import average_weights
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.backbones.open_clip_loader import custom_text_layout

STUDENT, TEACHER = "student.", "teacher."


def part(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def read_weights(source: Path) -> dict:
    """Weights of a checkpoint of a training here, or of a file of weights."""
    try:
        return read_checkpoint(source)[0]
    except CheckpointError:
        return read_state_dict(source)


def convert(source: Path, out: Path, alpha: float, text: Path | None = None) -> dict[str, int]:
    """Writes the weights and returns how many there are of each tower.

    Raises:
        ValueError: the file holds neither a training of CLIPSelf nor an image tower, or alpha is not in [0, 1].
    """
    tensors = read_weights(source)
    student, teacher = part(tensors, STUDENT), part(tensors, TEACHER)
    if student and teacher:
        weights = average_weights(student, teacher, alpha)
    else:
        weights = custom_text_layout(tensors)
    if not any(name.startswith("visual.") for name in weights):
        raise ValueError(f"{source} is no checkpoint of CLIPSelf: it has no visual.*, got {sorted(tensors)[:4]}")
    if text is not None:
        from_text = custom_text_layout(read_state_dict(text))
        weights.update({name: value for name, value in from_text.items() if not name.startswith("visual.")})
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().clone() for name, value in weights.items()}, out)
    towers = [name.split(".")[0] for name in weights]
    return {tower: towers.count(tower) for tower in dict.fromkeys(towers)}


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="weights to write (.safetensors)")
    parser.add_argument("--alpha", type=float, default=0.7, help="the student's share; 0.7 in the official code")
    parser.add_argument("--text", type=Path, help="weights of the CLIP, to add its text tower")
    args = parser.parse_args(argv)
    try:
        counts = convert(args.source, args.out, args.alpha, args.text)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"wrote {args.out}: " + ", ".join(f"{count} weights of {tower}" for tower, count in counts.items()))


if __name__ == "__main__":
    main()
