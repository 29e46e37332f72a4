"""Takes the small heads of CLIP-DINOiser and FOUND out of official files, or of checkpoints of a training here.

python tools/model_converters/import_heads.py clip_dinoiser last.pt checkpoints/clip_dinoiser_vit-b16.pth
python tools/model_converters/import_heads.py found decoder_weights.pt checkpoints/found_vit-s8.pth
python tools/model_converters/import_heads.py clip_dinoiser work_dirs/NAME/iter_6300.pth checkpoints/clip_dinoiser.pth

The result goes to ``tools/test.py`` as a checkpoint and to ``decode_head.pretrained``. Weights that are missing, not
known or of another shape end the conversion.
"""

import argparse
from pathlib import Path

import torch

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import CheckpointError, read_checkpoint
from ovdense.models.backbones.checkpoint import load_strictly
from ovdense.models.decode_heads import CLIPDINOiserHead, FOUNDHead
from ovdense.models.head_weights import head_weights

PREFIX = "decode_head."


def read_head(source: Path) -> dict[str, torch.Tensor]:
    """Weights of a file by their names in the head; the backbone's and counters of a training are left out."""
    try:
        weights, meta = read_checkpoint(source)
    except CheckpointError:
        meta = {}
    if not meta:  # no checkpoint of a training
        return head_weights(source)
    weights = {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}
    return {name: value for name, value in weights.items() if name != "steps"}


def build_module(kind: str, tensors: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], torch.nn.Module, str]:
    """The weights by their names in the module that they go to, that module in their sizes, its name in the head."""
    if kind == "found":
        tensors = {name.removeprefix("decoder."): value for name, value in tensors.items()}
        head = FOUNDHead(in_channels=tensors["weight"].shape[1] if "weight" in tensors else 384)
        return tensors, head.decoder, "decoder."
    sizes = {}
    if "obj_proj.weight" in tensors:
        channels, inner, kernel, _ = tensors["obj_proj.weight"].shape
        sizes = dict(in_channels=inner, proj_channels=channels, kernel_size=kernel)
    return tensors, CLIPDINOiserHead(**sizes), ""


def convert(kind: str, source: Path, out: Path) -> dict[str, torch.Tensor]:
    """Writes the checkpoint and returns its weights.

    Raises:
        ValueError: the file is none of this kind, or it does not fit.
    """
    tensors, module, name = build_module(kind, read_head(source))
    load_strictly(module, tensors, f"{source} as {kind}")
    state = {f"{PREFIX}{name}{key}": value for key, value in module.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=state), out)
    return state


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["clip_dinoiser", "found"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, help="checkpoint to write (.pth)")
    args = parser.parse_args(argv)
    try:
        state = convert(args.kind, args.source, args.out)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    for name, value in state.items():
        print(f"{name}  {tuple(value.shape)}")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
