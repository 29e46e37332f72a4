"""Makes one safetensors file, in open_clip's layout, of a CLIP model that was fine-tuned elsewhere.

python tools/model_converters/import_clip.py longclip-B.pt checkpoints/long-clip_vit-b16.safetensors
python tools/model_converters/import_clip.py model.safetensors checkpoints/fg-clip_vit-b16.safetensors [--long-text]
python tools/model_converters/import_clip.py un2clip.ckpt checkpoints/un2clip_vit-l14.safetensors \\
    --image-tower-for ViT-L-14-quickgelu:openai

Whole models may come in the layouts of OpenAI, open_clip, Long-CLIP (248 tokens), transformers' CLIPModel and FG-CLIP.
``--image-tower-for`` takes the image tower alone (un2CLIP, DIVA and others that leave the text as it was) and joins it
with the text tower of MODEL:PRETRAINED, or of local-dir:FOLDER. The file is for ``pretrained`` of backbone and text
encoder; name the model with its activation (``ViT-B-16-quickgelu`` for what began with OpenAI's weights).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

import ovdense  # noqa: F401  (first: it repairs missing binaries)
from ovdense.models.backbones.checkpoint import read_state_dict
from ovdense.models.backbones.clip_layouts import from_transformers_layout, image_tower_of, is_transformers_layout
from ovdense.models.backbones.open_clip_loader import custom_text_layout, load_clip


def convert(source: Path, *, long_text: bool = False, base: str | None = None) -> tuple[dict[str, Tensor], dict]:
    """Tensors of both towers and the file's metadata.

    Raises:
        ValueError: a layout that is not known, or a tower that does not fit the base.
    """
    tensors = read_state_dict(source)
    if base is None:
        if long_text and not is_transformers_layout(tensors):
            raise ValueError("--long-text is for FG-CLIP's files in transformers' layout")
        if is_transformers_layout(tensors):
            return from_transformers_layout(tensors, long_text=long_text), {}
        return custom_text_layout(tensors), {}
    folder = base.startswith("local-dir:")
    model, _, pretrained = (base, "", "") if folder else base.partition(":")
    loaded = load_clip(model, pretrained or None)
    if loaded.tensors is None:
        raise ValueError(f"--image-tower-for names a model with weights, MODEL:PRETRAINED, got {base!r}")
    tower, rest = image_tower_of(tensors), dict(loaded.tensors)
    own = {name for name in rest if name.startswith("visual.")}
    if own != set(tower):
        raise ValueError(
            f"the image tower of {source} is not that of {base}: missing {sorted(own - set(tower))[:4]}, unexpected "
            f"{sorted(set(tower) - own)[:4]}"
        )
    odd = [name for name in sorted(own) if tower[name].shape != rest[name].shape and "positional" not in name]
    if odd:
        raise ValueError(f"the image tower of {source} is of another size than that of {base}: {odd[:4]}")
    metadata = dict(text_digest=loaded.text_digest or loaded.digest)
    return {**rest, **tower}, metadata


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="weights as their authors published them")
    parser.add_argument("target", type=Path, help="file to write (.safetensors)")
    parser.add_argument("--long-text", action="store_true", help="FG-CLIP: the text path of long sentences")
    parser.add_argument("--image-tower-for", metavar="MODEL:PRETRAINED", help="model whose text tower goes with it")
    args = parser.parse_args(argv)
    if args.target.exists():
        parser.error(f"{args.target} exists: name another file")
    tensors, metadata = convert(args.source, long_text=args.long_text, base=args.image_tower_for)
    args.target.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, args.target, metadata=metadata)
    visual = sum(name.startswith("visual.") for name in tensors)
    print(f"{args.target}: {visual} tensors of the image tower, {len(tensors) - visual} others")


if __name__ == "__main__":
    main()
