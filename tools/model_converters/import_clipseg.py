"""CLIPSeg checkpoint to ours: python tools/model_converters/import_clipseg.py CONFIG SOURCE TARGET [--clip FILE]

SOURCE is an official file (rd64-uni.pth, rd64-uni-refined.pth, rd16-uni.pth) or the weights of transformers'
CLIPSegForImageSegmentation; CONFIG is one of configs/clipseg of that size. TARGET holds the decoder. With --clip the
frozen CLIP goes to a file of its own where SOURCE holds it, for ``pretrained``. A line for every key goes to
TARGET.report.txt; anything that does not fit ends the conversion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: what it registers, and stand-ins for missing binaries)
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.clipseg_checkpoint import convert_clipseg
from ovdense.registry import MODELS


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of the model, with its decoder's size")
    parser.add_argument("source", type=Path, help="official checkpoint, or transformers' model.safetensors")
    parser.add_argument("target", type=Path, help="file to write (.pth)")
    parser.add_argument("--clip", type=Path, help="file to write the frozen CLIP to (.safetensors)")
    args = parser.parse_args(argv)
    for path in filter(None, (args.target, args.clip)):
        if path.exists():
            parser.error(f"{path} exists: name another file")
    config = Config.fromfile(args.config)
    config.model.backbone.pretrained = None  # the size is enough
    init_default_scope("ovdense")
    try:
        converted = convert_clipseg(read_state_dict(args.source), MODELS.build(config.model))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    if args.clip and not converted.clip:
        parser.error(f"{args.source} holds no CLIP: leave --clip out")
    torch.save(dict(state_dict=converted.state, meta=dict(official=args.source.name)), args.target)
    if args.clip:
        save_file({name: value.float().contiguous() for name, value in converted.clip.items()}, args.clip)
    report = args.target.with_name(f"{args.target.name}.report.txt")
    report.write_text("".join(f"{line}\n" for line in converted.report), encoding="utf-8")
    print(f"{len(converted.state)} tensors in {args.target}, the fate of every key in {report}")


if __name__ == "__main__":
    main()
