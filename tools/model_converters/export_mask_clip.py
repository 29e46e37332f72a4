"""A checkpoint of a CLIP trained on masks (OVSeg, Alpha-CLIP) as a CLIP file.

It holds the image tower, what that has for masks (prompts or the alpha channel), and the locked text tower.

python tools/model_converters/export_mask_clip.py CONFIG work_dirs/NAME/iter_N.pth checkpoints/ovseg_clip.safetensors

The file goes to ``pretrained`` of an image backbone and of a text encoder, of the same open_clip model as in CONFIG.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

import ovdense  # noqa: F401  (first: it repairs missing binaries)

BACKBONE = "backbone."
EXTRAS = {"mask_embedding": "visual.mask_embedding", "alpha_conv.weight": "visual.conv1_alpha.weight"}


def whole_clip(trained: dict[str, torch.Tensor], stock: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The stock CLIP with the image tower, the extras for masks and the logit scale of a training.

    Raises:
        ValueError: tensors of the training that the stock CLIP does not have in this shape.
    """
    tower = {name.removeprefix(BACKBONE): value for name, value in trained.items() if name.startswith(BACKBONE)}
    extras = {EXTRAS[name]: tower.pop(name) for name in EXTRAS if name in tower}
    odd = [name for name, value in tower.items() if name not in stock or stock[name].shape != value.shape]
    missing = [name for name in stock if name.startswith("visual.") and name not in tower]
    missing = [name for name in missing if name not in EXTRAS.values()]
    if odd or missing or not tower:
        raise ValueError(
            f"the checkpoint is of another CLIP than the config: {len(odd)} tensors do not fit, such as {odd[:3]}, "
            f"{len(missing)} are missing, such as {missing[:3]}"
        )
    whole = {**stock, **tower, **extras}
    if "logit_scale" in trained and "logit_scale" in stock:
        whole["logit_scale"] = trained["logit_scale"].reshape(stock["logit_scale"].shape)
    return {name: value.detach().clone().contiguous() for name, value in whole.items()}


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config of the training")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="file to write (.safetensors)")
    args = parser.parse_args(argv)
    from ovdense.apis import load_config
    from ovdense.apis.checkpoints import read_checkpoint
    from ovdense.models.backbones import load_clip

    settings = load_config(args.config).model.backbone
    try:
        stock = load_clip(settings.model, settings.get("pretrained")).tensors or {}
        whole = whole_clip(read_checkpoint(args.checkpoint)[0], stock)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"error: {error}") from None
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(whole, args.out)
    print(f"wrote {args.out}, {len(whole)} tensors")


if __name__ == "__main__":
    main()
