import pickle

import pytest
import torch

from ovdense.engine import EmbeddingStore


def test_rows_come_back_from_parts_and_from_memory(tmp_path):
    store = EmbeddingStore(tmp_path / "rows", part_bytes=2 * 3 * 4)
    rows = torch.arange(15.0).view(5, 3)
    store.add(["a", "b"], rows[:2])  # full: written
    store.add(["c", "a"], rows[2:4])  # a is known already
    assert len(list((tmp_path / "rows").iterdir())) == 1 and len(store) == 3
    assert store["c"].tolist() == [6, 7, 8] and store["a"].tolist() == [0, 1, 2]
    assert "c" not in EmbeddingStore(tmp_path / "rows")
    store.flush()
    again = pickle.loads(pickle.dumps(EmbeddingStore(tmp_path / "rows")))
    assert {key: again[key].tolist() for key in "abc"} == {"a": [0, 1, 2], "b": [3, 4, 5], "c": [6, 7, 8]}


def test_a_table_filled_by_two_processes(tmp_path):
    one, other = EmbeddingStore(tmp_path), EmbeddingStore(tmp_path)
    one.add(["a"], torch.ones(1, 2))
    other.add(["b"], torch.zeros(1, 2))
    one.flush()
    other.flush()
    one.refresh()
    assert len(one) == 2 and one["b"].tolist() == [0, 0]


def test_half_a_part_counts_as_none(tmp_path):
    store = EmbeddingStore(tmp_path)
    store.add(["a"], torch.ones(1, 2))
    store.flush()
    (part,) = tmp_path.iterdir()
    part.write_bytes(part.read_bytes()[:-4])
    with pytest.warns(UserWarning, match="unreadable and its rows are made again"):
        assert "a" not in EmbeddingStore(tmp_path)
