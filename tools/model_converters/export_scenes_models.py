"""Takes an embedded model out of the checkpoint of its training, in half precision.

python tools/model_converters/export_scenes_models.py clip CHECKPOINT ovdense/assets/models/scenes
python tools/model_converters/export_scenes_models.py companion CHECKPOINT ovdense/assets/models/scenes_dino
python tools/model_converters/export_scenes_models.py proposals CHECKPOINT ovdense/assets/models/scenes_proposals
python tools/model_converters/export_scenes_models.py clip_dinoiser CHECKPOINT ovdense/assets/models/scenes_dinoiser
python tools/model_converters/export_scenes_models.py found CHECKPOINT ovdense/assets/models/scenes_found
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import read_checkpoint
from ovdense.models.backbones.open_clip_loader import load_clip

PREFIXES = {
    "clip": ("visual.", "logit_scale"),
    "companion": ("teacher.trunk.",),
    "proposals": ("proposals.",),
    "clip_dinoiser": ("decode_head.",),
    "found": ("decode_head.decoder.",),
}
TRUNK = dict(
    architecture="vit_tiny_patch16_224",
    model_args=dict(
        img_size=64,
        patch_size=8,
        embed_dim=128,
        depth=5,
        num_heads=4,
        pretrained_cfg_overlay=dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
    ),
)


def export(kind: str, checkpoint: Path, out: Path) -> None:
    """Writes ``model.safetensors`` and, for the companion, ``config.json`` into the folder ``out``."""
    weights, _ = read_checkpoint(checkpoint)
    prefixes = PREFIXES[kind]
    tensors = {name: value for name, value in weights.items() if name.startswith(prefixes)}
    if not tensors:
        raise SystemExit(
            f"error: {checkpoint} holds no weights named {prefixes[0]}*: it is no checkpoint of the {kind}"
        )
    tensors = {name: half(value) for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    out.mkdir(parents=True, exist_ok=True)
    if kind == "clip":
        tensors["text_mean"] = load_clip("scenes").tensors["text_mean"].clone()
        tower = {} if (out / "config.json").is_file() else load_clip("scenes").config
        if tower:
            (out / "config.json").write_text(json.dumps(tower, indent=2) + "\n", encoding="utf-8")
    else:
        tensors = {name.removeprefix(prefixes[0]): value for name, value in tensors.items()}
    save_file(tensors, out / "model.safetensors")
    if kind == "companion":
        (out / "config.json").write_text(json.dumps(TRUNK, indent=2) + "\n", encoding="utf-8")


def half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half().contiguous() if tensor.is_floating_point() and tensor.ndim else tensor.contiguous()


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(PREFIXES))
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="folder of the model")
    args = parser.parse_args(argv)
    export(args.kind, args.checkpoint, args.out)


if __name__ == "__main__":
    main()
