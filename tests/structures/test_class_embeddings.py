"""ClassEmbeddings: rows and the classes that they speak for."""

import pytest
import torch

from ovdense.structures import ClassEmbeddings, Vocabulary


@pytest.fixture
def vocabulary():
    return Vocabulary.parse([["cat", "kitten"], "dog"])


def test_sizes_and_moving(vocabulary):
    embeddings = ClassEmbeddings(torch.eye(3, 4), [0, 0, 1], vocabulary, "model/weights")
    assert (embeddings.num_classes, embeddings.embed_dim) == (2, 4)
    assert embeddings.class_index.tolist() == [0, 0, 1] and embeddings.class_index.dtype == torch.long
    half = embeddings.to(torch.float16)
    assert half.rows.dtype == torch.float16 and half.class_index.dtype == torch.long
    assert half.space == "model/weights" and half.vocabulary is vocabulary
    assert embeddings.rows.dtype == torch.float32


@pytest.mark.parametrize("rows", [torch.eye(2), torch.zeros(3)])
def test_every_row_has_a_class(vocabulary, rows):
    with pytest.raises(ValueError, match="one class index per row, got rows of shape"):
        ClassEmbeddings(rows, [0, 0, 1], vocabulary, "model/weights")


def test_a_subset_is_numbered_anew():
    groups = dict(thing=["cat", "car"], stuff=["sky"])
    vocabulary = Vocabulary.parse([["cat", "kitten"], "sky", "car"], groups=groups)
    embeddings = ClassEmbeddings(torch.eye(4), vocabulary.class_index, vocabulary, "model/weights")
    some = embeddings.subset([2, 0])
    assert some.vocabulary.classes == ("car", "cat") and some.num_classes == 2
    assert some.vocabulary.groups == dict(thing=(1, 0), stuff=())
    assert [row.argmax().item() for row in some.rows] == [0, 1, 3] and some.class_index.tolist() == [1, 1, 0]
    assert [some.vocabulary.phrases[index] for index in (0, 1)] == [("car",), ("cat", "kitten")]
    assert embeddings.num_classes == 3
