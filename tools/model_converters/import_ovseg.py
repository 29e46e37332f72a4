"""Official checkpoints of OVSeg for the configs of configs/ovseg, with a line for every key.

python tools/model_converters/import_ovseg.py CONFIG ovseg_swinbase_vitL14_ft_mpt.pth checkpoints/ovseg_swin-b.pth
python tools/model_converters/import_ovseg.py CONFIG FILE OUT --clip ViT-L-14:openai --report report.txt

Two files are written: OUT, a checkpoint for tools/test.py with this config, and OUT with ``_clip.safetensors`` at its
end, the whole mask-adapted CLIP with its mask prompts, for ``pretrained`` of a backbone or a text encoder. A text tower
that the file lacks comes from the stock CLIP (``--clip``, MODEL:PRETRAINED or a local file). Keys that are not known,
missing or of another shape end the conversion.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)


def stock_clip(named: str | None) -> dict[str, torch.Tensor] | None:
    """Weights of ``MODEL:PRETRAINED`` or of a local file; None for None."""
    from ovdense.models.backbones import load_clip
    from ovdense.models.backbones.checkpoint import read_state_dict

    if named is None:
        return None
    if Path(named).is_file():
        return read_state_dict(named)
    model, _, pretrained = named.partition(":")
    return load_clip(model, pretrained or None).tensors


def convert(config: str, source: Path, out: Path, clip: str | None = None) -> list[str]:
    """Writes both files and returns the report.

    Raises:
        ValueError: the checkpoint does not fit the config.
    """
    from mmengine.registry import init_default_scope

    from ovdense.apis import load_config
    from ovdense.models.backbones.checkpoint import read_state_dict
    from ovdense.models.ovseg_checkpoint import convert_ovseg
    from ovdense.registry import MODELS

    settings = load_config(config)
    init_default_scope(settings.get("default_scope", "ovdense"))
    for part in (settings.model.region_classifier.backbone, settings.model.backbone.trunk):
        part.update({key: None for key in ("pretrained", "init_cfg") if key in part})  # all weights are in the file
    converted = convert_ovseg(read_state_dict(source), MODELS.build(settings.model), clip=stock_clip(clip))
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=converted.state), out)
    whole = {name: value.contiguous() for name, value in converted.clip.items()}
    save_file(whole, out.with_name(out.stem + "_clip.safetensors"))
    return [str(line) for line in converted.report]


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config that the checkpoint is for")
    parser.add_argument("source", type=Path, help="official checkpoint")
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument(
        "--clip", metavar="MODEL:PRETRAINED", help="stock CLIP, or a local file of it, for a missing text tower"
    )
    parser.add_argument("--report", type=Path, help="file for the report; stdout without")
    args = parser.parse_args(argv)
    try:
        report = convert(args.config, args.source, args.out, args.clip)
    except (ValueError, FileNotFoundError, ConnectionError) as error:
        raise SystemExit(f"error: {error}") from None
    if args.report is None:
        print("\n".join(report))
    else:
        args.report.write_text("\n".join(report) + "\n", encoding="utf-8")
    print(f"wrote {args.out} and {args.out.stem}_clip.safetensors, {len(report)} keys")


if __name__ == "__main__":
    main()
