"""The embedded text tower against the sentence encoder that it stands in for."""

import json

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ovdense.models.text_encoders import load_minilm, load_text_tower
from ovdense.models.text_encoders.text_tower import FOLDER, SentenceTextTower
from ovdense.models.vocabulary_files import load_vocabulary


@pytest.fixture(scope="module")
def tower():
    return load_text_tower()


def centred(encoder, names, mean):
    sentences = [text.replace("{}", name) for name in names for text in ("a photo of a {}.", "{}")]
    return F.normalize(encoder.encode(sentences).unflatten(0, (len(names), 2)).mean(1) - mean, dim=1)


def test_agrees_with_minilm_on_common_names(tower):
    names = load_vocabulary("coco-133").flat_phrases[:80]
    rows = [centred(encoder, names, tower.mean) for encoder in (tower, load_minilm())]
    assert (rows[0] * rows[1]).sum(1).mean() > 0.88
    assert ((rows[0] @ rows[1].T).argmax(1) == torch.arange(len(names))).float().mean() > 0.95


def test_phrases_are_told_apart(tower):
    texts = ["a man in a red shirt", "a woman in a blue dress", "a bowl of fruit"]
    cosine = centred(tower, texts, tower.mean) @ centred(load_minilm(), texts, tower.mean).T
    assert cosine.argmax(1).tolist() == [0, 1, 2]


def test_loads_with_open_clip_alone(tower):
    from open_clip.model import _build_text_tower

    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    plain = _build_text_tower(config["embed_dim"], config["text_cfg"]).eval()
    tensors = load_file(FOLDER / "model.safetensors")
    plain.load_state_dict({name[5:]: value.float() for name, value in tensors.items() if name.startswith("text.")})
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(FOLDER / "merges.txt.gz"), context_length=32)
    with torch.no_grad():
        vectors = plain(tokenizer(["a cat", "traffic light"]))
    expected = tower.encode(["a cat", "traffic light"])
    torch.testing.assert_close(F.normalize(vectors + tensors["mean"], dim=1), expected, atol=2e-6, rtol=0)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json, model\.safetensors, merges\.txt\.gz"):
        SentenceTextTower(tmp_path)
