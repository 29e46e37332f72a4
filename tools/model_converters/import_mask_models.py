"""Takes official checkpoints of mask-proposal classifiers (detectron2's layout) over into checkpoints of this project.

python tools/model_converters/import_mask_models.py fc-clip fcclip_cocopan.pth checkpoints/fc-clip_convnext-l.pth \\
    --config configs/fcclip/fc-clip_convnext-l_coco-133-to-ade20k-panoptic-150-800.py \\
    --clip convnext_large_d_320:laion2b_s29b_b131k_ft_soup --clip-out checkpoints/convnext-l_clip.safetensors

The checkpoint goes to ``tools/test.py``. Official files often leave out what was frozen, the text tower above all:
``--clip MODEL:PRETRAINED`` (a tag of open_clip or a local file) fills it in, ``--clip-out`` writes the whole CLIP
model, to be named as ``pretrained`` of backbone and text encoder. Every key is listed in the report; weights that are
missing, not known or of another shape end the conversion.
"""

import argparse
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis import ConfigError, load_config
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.mask_checkpoints import LAYOUTS, Converted, convert_checkpoint
from ovdense.registry import MODELS


def build_model(config_file: str) -> torch.nn.Module:
    """The model of a config, without pretrained weights: the checkpoint brings them."""
    config = load_config(config_file)
    init_default_scope("ovdense")
    model = config.model
    model.backbone.pretrained = None
    return MODELS.build(model)


def stock_clip(name: str | None) -> dict[str, torch.Tensor]:
    """Weights of ``MODEL:PRETRAINED``; none for None."""
    if name is None:
        return {}
    model, _, pretrained = name.partition(":")
    if Path(name).is_file():
        return read_state_dict(name)
    return dict(load_clip(model, pretrained or None).tensors or {})


def convert(kind: str, source: Path, out: Path, config: str, clip: str | None, clip_out: Path | None) -> Converted:
    """Writes the checkpoint, the CLIP model where it is wanted, and the report beside the checkpoint.

    Raises:
        ValueError: the file is none of this kind, or it does not fit the config's model.
    """
    layout = LAYOUTS[kind]
    found = convert_checkpoint(
        read_state_dict(source),
        build_model(config),
        layout.rules,
        clip=stock_clip(clip),
        fill_visual=layout.fill_visual,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=found.state), out)
    out.with_suffix(".report.txt").write_text("".join(f"{line}\n" for line in found.report), encoding="utf-8")
    if clip_out is not None:
        clip_out.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: value.detach().contiguous().clone() for name, value in found.clip.items()}, clip_out)
    return found


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(LAYOUTS))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    parser.add_argument("--config", required=True, help="config of the model that the checkpoint is for")
    parser.add_argument("--clip", help="stock CLIP model, MODEL:PRETRAINED or a local file, for what was frozen")
    parser.add_argument("--clip-out", type=Path, help="also write the whole CLIP model there (.safetensors)")
    args = parser.parse_args(argv)
    try:
        found = convert(args.kind, args.source, args.out, args.config, args.clip, args.clip_out)
    except (ValueError, FileNotFoundError, ConnectionError, ConfigError) as error:
        raise SystemExit(f"error: {error}") from None
    filled = sum(not line.official for line in found.report)
    left_out = sum(not line.ours for line in found.report)
    print(f"{len(found.state)} tensors, {filled} filled in, {left_out} left out: {args.out.with_suffix('.report.txt')}")
    print(f"wrote {args.out}" + (f" and {args.clip_out}" if args.clip_out else ""))


if __name__ == "__main__":
    main()
