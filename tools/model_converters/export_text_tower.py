"""Takes the embedded text tower out of the checkpoint of its training, in half precision.

    python tools/model_converters/export_text_tower.py CHECKPOINT data/sentences ovdense/assets/models/text_tower
    python tools/model_converters/export_text_tower.py CHECKPOINT data/sentences OUT --with-image-tower scenes

The second form writes a model that plain open_clip loads: ``open_clip_config.json`` with an image and a text tower
in one space, and ``open_clip_model.safetensors``. The image tower's own centring is folded into the bias of the text
projection, so that ``encode_text`` needs nothing else:

    import open_clip
    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:OUT")
    tokenizer = open_clip.SimpleTokenizer(bpe_path="OUT/merges.txt.gz", context_length=32)
"""

import argparse
import json
from copy import deepcopy
from pathlib import Path

import torch
from mmengine.config import Config
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.apis.checkpoints import read_checkpoint
from ovdense.models.backbones.open_clip_loader import load_clip
from ovdense.models.text_encoders.text_tower import save_text_tower

PREFIX = "tower."


def trained_tower(checkpoint: Path, config: Config) -> tuple[torch.nn.Module, torch.Tensor]:
    """The tower (float32) and the mean (D,) that its vectors lack."""
    from open_clip.model import _build_text_tower

    weights, _ = read_checkpoint(checkpoint)
    tensors = {name.removeprefix(PREFIX): value for name, value in weights.items() if name.startswith(PREFIX)}
    if not tensors:
        raise SystemExit(
            f"error: {checkpoint} holds no weights named {PREFIX}*: it is no checkpoint of a TextDistiller"
        )
    tower = _build_text_tower(config.model.embed_dim, config.model.text_cfg.to_dict())
    tower.load_state_dict(tensors)
    return tower, weights["mean"]


def write_clip(name: str, tower: torch.nn.Module, mean: torch.Tensor, text_cfg: dict, out: Path) -> None:
    """An open_clip folder of the image tower of an embedded model and this text tower."""
    clip = load_clip(name)
    tower = deepcopy(tower)
    with torch.no_grad():  # vector - image tower's mean = (vector - mean) + (mean - image tower's mean)
        tower.text_projection.bias += mean - clip.tensors["text_mean"].float()
    tensors = {key: value for key, value in clip.tensors.items() if key.startswith("visual.") or key == "logit_scale"}
    tensors["logit_scale"] = tensors["logit_scale"].reshape(())
    tensors |= {f"text.{key}": value for key, value in tower.state_dict().items()}
    model_cfg = dict(
        embed_dim=clip.embed_dim, custom_text=True, vision_cfg=clip.config["vision_cfg"], text_cfg=text_cfg
    )
    preprocess_cfg = dict(mean=list(clip.image_mean), std=list(clip.image_std))
    (out / "open_clip_config.json").write_text(
        json.dumps(dict(model_cfg=model_cfg, preprocess_cfg=preprocess_cfg), indent=2) + "\n", encoding="utf-8"
    )
    save_file({key: value.half().contiguous() for key, value in tensors.items()}, out / "open_clip_model.safetensors")


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="folder of make_sentences.py")
    parser.add_argument("out", type=Path, help="folder of the model")
    parser.add_argument("--config", help="config of the training (default: the one beside the checkpoint)")
    parser.add_argument("--with-image-tower", metavar="MODEL", help="embedded model with a centred text space: scenes")
    args = parser.parse_args(argv)
    beside = sorted(args.checkpoint.parent.glob("*.py"))
    if not args.config and not beside:
        raise SystemExit(f"error: no config beside {args.checkpoint}: name it with --config")
    config = Config.fromfile(args.config or beside[0])
    tower, mean = trained_tower(args.checkpoint, config)
    text_cfg, merges = config.model.text_cfg.to_dict(), (args.data / "merges.txt.gz").read_bytes()
    if not args.with_image_tower:
        save_text_tower(args.out, text_cfg, tower, mean, merges)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    write_clip(args.with_image_tower, tower, mean, text_cfg, args.out)
    (args.out / "merges.txt.gz").write_bytes(merges)


if __name__ == "__main__":
    main()
