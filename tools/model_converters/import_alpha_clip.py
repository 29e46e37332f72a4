"""Official weights of Alpha-CLIP (the image tower alone) with the text tower that they were trained with, as one file.

python tools/model_converters/import_alpha_clip.py clip_b16_grit+mim_fultune_4xe.pth \
    checkpoints/alpha-clip_vit-b16.safetensors --clip ViT-B-16-quickgelu:openai

The file goes to ``pretrained`` of an image backbone and of a text encoder of the same open_clip model. A key that is
missing, unknown or of another shape ends the conversion.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)


def convert(source: Path, out: Path, clip: str) -> list[str]:
    """Writes the whole CLIP and returns a line for every key of the image tower.

    Raises:
        ValueError: the file is no Alpha-CLIP, or one of another size than ``clip``.
    """
    from ovdense.models.backbones import load_clip
    from ovdense.models.backbones.alpha_channel import plain_clip_layout
    from ovdense.models.backbones.checkpoint import read_state_dict
    from ovdense.models.backbones.open_clip_loader import ALPHA_CONV

    model, _, pretrained = clip.partition(":")
    stock = load_clip(model, pretrained or None)
    if stock.tensors is None:
        raise ValueError(f"--clip names MODEL:PRETRAINED, whose text tower is taken, got {clip!r} without weights")
    tower, tensors = plain_clip_layout(read_state_dict(source)), stock.tensors
    visual = {name for name in tensors if name.startswith("visual.")} | {ALPHA_CONV}
    wrong = {
        "missing": sorted(visual - set(tower)),
        "unknown": sorted(set(tower) - visual),
        "of another shape": sorted(n for n in set(tower) & set(tensors) if tower[n].shape != tensors[n].shape),
    }
    if any(wrong.values()):
        listed = "; ".join(f"{len(names)} {kind}, such as {names[:3]}" for kind, names in wrong.items() if names)
        raise ValueError(f"{source} does not fit {model}: {listed}")
    whole = {**{name: value for name, value in tensors.items() if name not in visual}, **tower}
    out.parent.mkdir(parents=True, exist_ok=True)
    metadata = dict(format="pt", clip=clip, text_digest=stock.digest or "random")
    save_file(
        {name: value.detach().to(torch.float32).contiguous().clone() for name, value in whole.items()}, out, metadata
    )
    return [f"{name} {tuple(value.shape)}: taken over" for name, value in sorted(tower.items())]


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="official file")
    parser.add_argument("out", type=Path, help="file to write (.safetensors)")
    parser.add_argument("--clip", required=True, metavar="MODEL:PRETRAINED", help="the CLIP it was trained from")
    parser.add_argument("--report", type=Path, help="file for a line a key; stdout without")
    args = parser.parse_args(argv)
    try:
        report = convert(args.source, args.out, args.clip)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    if args.report is None:
        print("\n".join(report))
    else:
        args.report.write_text("\n".join(report) + "\n", encoding="utf-8")
    print(f"wrote {args.out}, {len(report)} keys of the image tower")


if __name__ == "__main__":
    main()
