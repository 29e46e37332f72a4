"""Official SAN checkpoint to ours: python tools/model_converters/import_san.py CONFIG SOURCE TARGET

CONFIG is one of configs/san. TARGET holds the model; the text tower, which SAN leaves as it was, is the stock CLIP's. A
line for every key goes to TARGET.report.txt; anything that does not fit ends the conversion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import ovdense  # noqa: F401  (first: what it registers, and stand-ins for missing binaries)
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.san_checkpoint import convert_san
from ovdense.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of the model, with its backbone's size")
    parser.add_argument("source", help="official checkpoint (.pth)")
    parser.add_argument("target", help="file to write (.pth)")
    parser.add_argument("--cfg-options", nargs="+", default=[], help="key=value pairs that change the config")
    args = parser.parse_args()
    target = Path(args.target)
    if target.exists():
        parser.error(f"{target} exists: name another file")
    config = Config.fromfile(args.config)
    config.merge_from_dict(dict(pair.split("=", 1) for pair in args.cfg_options))
    config.model.clip = None  # all weights come from the source
    init_default_scope("ovdense")
    converted = convert_san(read_state_dict(Path(args.source)), MODELS.build(config.model))
    torch.save(dict(state_dict=converted.state, meta=dict(official=Path(args.source).name)), target)
    report = target.with_name(f"{target.name}.report.txt")
    report.write_text("".join(f"{line}\n" for line in converted.report), encoding="utf-8")
    print(f"{len(converted.state)} tensors in {target}, the fate of every key in {report}")


if __name__ == "__main__":
    main()
