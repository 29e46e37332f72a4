"""Makes a checkpoint of a two-stage detector here of an official one of ovdet (BARON) or of F-ViT.

python tools/model_converters/import_ovdet.py baron_kd_faster_rcnn.pth checkpoints/baron_rn50.pth
python tools/model_converters/import_ovdet.py fvit_vitb16.pth checkpoints/fvit_b16.pth --kind fvit

The result goes to ``tools/test.py`` as a checkpoint and to ``load_from``. A report says what was taken and what was
left out, and why; weights that are not known, or a part that is not there, end the conversion. ``--config`` also builds
the detector of a config and names the weights that do not fit it.
"""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.detector_checkpoints import Imported, from_fvit, from_ovdet
from ovdense.registry import MODELS

KINDS = dict(ovdet=from_ovdet, fvit=from_fvit)


def check(found: Imported, config: Path) -> None:
    """ValueError where the weights do not fit the detector of a config; its CLIP's own weights may be missing."""
    model = MODELS.build(Config.fromfile(config).model)
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in found.weights.items()}
    wrong = [
        f"{name} {given[name]} instead of {own[name]}" for name in given if own.get(name, ()) not in (given[name], ())
    ]
    unknown, missing = sorted(given.keys() - own.keys()), sorted(own.keys() - given.keys())
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    problems = dict(shapes=wrong, unknown=unknown, missing=missing)
    if any(problems.values()):
        said = [f"{len(names)} {kind}: {', '.join(names[:4])}" for kind, names in problems.items() if names]
        raise ValueError(f"the weights do not fit {config}: {'; '.join(said)}")


def convert(source: Path, out: Path, kind: str, config: Path | None = None) -> Imported:
    """Writes the checkpoint; returns what was found."""
    found = KINDS[kind](read_state_dict(source))
    if config is not None:
        check(found, config)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=found.weights), out)
    return found


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument("--kind", choices=sorted(KINDS), default="ovdet")
    parser.add_argument("--config", type=Path, help="config of the detector that the weights have to fit")
    args = parser.parse_args(argv)
    try:
        found = convert(args.source, args.out, args.kind, args.config)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    print(found.report())
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
