"""The embedded text tower against the sentence encoder that taught it."""

import json
from pathlib import Path

import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from ovdense.models.text_encoders import load_text_tower
from ovdense.models.text_encoders.text_tower import FOLDER, SentenceTextTower

GOLDEN = Path(__file__).parents[2] / "data" / "minilm_names.safetensors"
TEMPLATES = ("a photo of a {}.", "{}")


@pytest.fixture(scope="module")
def tower():
    return load_text_tower()


@pytest.fixture(scope="module")
def teacher():
    """80 names of COCO and three phrases, and the teacher's vectors of them through ``TEMPLATES``."""
    with safe_open(str(GOLDEN), framework="pt") as file:
        assert tuple(json.loads(file.metadata()["templates"])) == TEMPLATES
        return json.loads(file.metadata()["texts"]), file.get_tensor("rows").float()


def centred(tower, names):
    sentences = [text.replace("{}", name) for name in names for text in TEMPLATES]
    return F.normalize(tower.encode(sentences).unflatten(0, (len(names), 2)).mean(1) - tower.mean, dim=1)


def test_agrees_with_its_teacher(tower, teacher):
    names, rows = teacher
    student, rows = centred(tower, names), F.normalize(rows - tower.mean, dim=1)
    assert (student * rows)[:80].sum(1).mean() > 0.9
    assert ((student @ rows.T).argmax(1) == torch.arange(len(names))).float().mean() > 0.95


def test_phrases_are_told_apart(tower, teacher):
    names, rows = teacher
    cosine = centred(tower, names[80:]) @ F.normalize(rows[80:] - tower.mean, dim=1).T
    assert cosine.argmax(1).tolist() == [0, 1, 2]


def test_meaning(tower):
    car, automobile, grass, lawn = centred(tower, ["car", "automobile", "grass", "lawn"])
    assert min(car @ automobile, grass @ lawn) > 0.6 > 0.3 > max(car @ grass, automobile @ lawn)


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
