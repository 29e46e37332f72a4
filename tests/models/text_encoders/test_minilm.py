import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ovdense.models.text_encoders.minilm import dequantize_rows, load_minilm, quantize_rows

GOLDEN = Path(__file__).parents[2] / "data" / "minilm_float32.safetensors"


@pytest.fixture(scope="module")
def minilm():
    return load_minilm()


def test_agrees_with_the_float32_original(minilm):
    with safe_open(str(GOLDEN), framework="pt") as file:
        expected, texts = file.get_tensor("rows").float(), json.loads(file.metadata()["texts"])
    cosine = (minilm.encode(texts) * expected).sum(1)
    assert len(texts) == 12 and cosine.min() > 0.999


def test_rows_do_not_depend_on_the_batch(minilm):
    texts = ["fox", "a photo of a very long sentence about foxes in the snow", "猫", "fox"]
    together = minilm.encode(texts)
    alone = torch.cat([minilm.encode([text]) for text in texts])
    assert torch.allclose(together, alone, atol=2e-6)
    assert torch.equal(together[0], together[3])
    assert torch.allclose(minilm.encode(texts, batch_size=2), together, atol=2e-6)
    assert torch.allclose(together.norm(dim=1), torch.ones(4))


def test_meaning(minilm):
    car, automobile, grass, lawn = minilm.encode(["car", "automobile", "grass", "lawn"])
    assert min(car @ automobile, grass @ lawn) > 0.8 > 0.6 > max(car @ grass, automobile @ lawn)


def test_no_text_gives_no_row(minilm):
    assert minilm.encode([]).shape == (0, 384)


def test_truncated_texts_are_collected(minilm):
    truncated = []
    minilm.encode(["fox", "fox " * 300], truncated=truncated)
    assert truncated == ["fox " * 300]


def test_quantization_by_hand():
    values, scale = quantize_rows(torch.tensor([[127.0, -63.4, 0.0, 254.0]]), group=2)
    assert values.tolist() == [[127, -63, 0, 127]] and scale.tolist() == [[1.0, 2.0]]
    assert dequantize_rows(values, scale).tolist() == [[127.0, -63.0, 0.0, 254.0]]
    zeros, scale = quantize_rows(torch.zeros(1, 2), group=2)
    assert dequantize_rows(zeros, scale).tolist() == [[0.0, 0.0]]
