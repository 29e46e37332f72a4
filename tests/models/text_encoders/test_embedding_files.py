import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.text_encoders import load_class_embeddings
from ovdense.models.text_encoders.embedding_files import save_class_embeddings
from ovdense.structures import ClassEmbeddings, Vocabulary

TABLE = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
UNIT = [[0.6, 0.8], [0.0, 1.0]]
NAMES = Vocabulary.parse(["cat", "dog"])


def write(path, content):
    if path.suffix == ".npy":
        np.save(path, content.numpy())
    elif path.suffix == ".pt":
        torch.save(content, path)
    else:
        save_file(content if isinstance(content, dict) else {"rows": content}, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors"])
def test_tables(tmp_path, suffix):
    loaded = load_class_embeddings(write(tmp_path / f"table{suffix}", TABLE), NAMES, space="a")
    torch.testing.assert_close(loaded.rows, torch.tensor(UNIT))
    assert loaded.class_index.tolist() == [0, 1] and loaded.space == "a"


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_vectors_by_name(tmp_path, suffix):
    path = write(
        tmp_path / f"names{suffix}", {"dog": TABLE[1].clone(), "cat": TABLE[0].clone(), "cow": TABLE[0].clone()}
    )
    torch.testing.assert_close(load_class_embeddings(path, NAMES).rows, torch.tensor(UNIT))
    with pytest.raises(ValueError, match=r"no embedding for 1 of 2 classes.*got \['sky'\]"):
        load_class_embeddings(path, Vocabulary.parse(["cat", "sky"]))
    assert set(load_class_embeddings(path).vocabulary.classes) == {"cat", "cow", "dog"}


def test_a_table_may_hold_a_row_for_each_phrase():
    vocabulary = Vocabulary.parse([["cat", "kitten"], "dog"])
    assert load_class_embeddings(torch.eye(3), vocabulary).class_index.tolist() == [0, 0, 1]
    assert load_class_embeddings(torch.eye(2), vocabulary).class_index.tolist() == [0, 1]


def test_own_files_carry_names_and_space(tmp_path):
    vocabulary = Vocabulary.parse([["cat", "kitten"], "dog"], groups=dict(base=[0]))
    saved = ClassEmbeddings(torch.eye(3), torch.tensor([0, 0, 1]), vocabulary, "ViT-B-16/openai")
    save_class_embeddings(saved, tmp_path / "own.safetensors")
    loaded = load_class_embeddings(tmp_path / "own.safetensors")
    assert loaded.vocabulary == vocabulary and loaded.space == "ViT-B-16/openai"
    assert torch.equal(loaded.rows, saved.rows) and torch.equal(loaded.class_index, saved.class_index)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (torch.ones(3, 2), "2 classes and 2 phrases, got 3 rows"),
        (torch.ones(2), r"shape \(K, C\), got \(2,\)"),
        (torch.tensor([[1.0, 0.0], [0.0, 0.0]]), r"zero or non-finite rows at \[1\]"),
        (torch.tensor([[float("nan"), 0.0], [1.0, 0.0]]), r"zero or non-finite rows at \[0\]"),
    ],
)
def test_bad_tables(table, message):
    with pytest.raises(ValueError, match=message):
        load_class_embeddings(table, NAMES)


def test_a_table_needs_names():
    with pytest.raises(ValueError, match=r"needs a vocabulary.*got \(2, 2\)"):
        load_class_embeddings(TABLE)


def test_files_of_other_kinds(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npy"):
        load_class_embeddings(tmp_path / "none.npy", NAMES)
    (tmp_path / "table.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"\.safetensors, \.npy or \.pt, got .*table.csv"):
        load_class_embeddings(tmp_path / "table.csv", NAMES)
