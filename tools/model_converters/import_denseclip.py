"""Official DenseCLIP checkpoint to ours: python tools/model_converters/import_denseclip.py CONFIG SOURCE TARGET

CONFIG is one of configs/denseclip. TARGET holds the whole model. A line for every key goes to TARGET.report.txt;
anything that does not fit ends the conversion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import ovdense  # noqa: F401  (first: what it registers, and stand-ins for missing binaries)
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.denseclip_checkpoint import convert_denseclip
from ovdense.registry import MODELS


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of the model, with its backbone's size")
    parser.add_argument("source", type=Path, help="official checkpoint (.pth)")
    parser.add_argument("target", type=Path, help="file to write (.pth)")
    args = parser.parse_args(argv)
    if args.target.exists():
        parser.error(f"{args.target} exists: name another file")
    config = Config.fromfile(args.config)
    config.model.backbone.pretrained = config.model.text.pretrained = None  # all weights come from the source
    init_default_scope("ovdense")
    try:
        converted = convert_denseclip(read_state_dict(args.source), MODELS.build(config.model))
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    torch.save(dict(state_dict=converted.state, meta=dict(official=args.source.name)), args.target)
    report = args.target.with_name(f"{args.target.name}.report.txt")
    report.write_text("".join(f"{line}\n" for line in converted.report), encoding="utf-8")
    print(f"{len(converted.state)} tensors in {args.target}, the fate of every key in {report}")


if __name__ == "__main__":
    main()
