import multiprocessing
import warnings

import pytest
import torch

from ovdense.models.text_encoders.cache import PhraseCache, default_cache_dir

KEY = dict(tower="a", templates=["{}"])


def rows(*names):
    return {name: torch.full((3,), float(len(name))) for name in names}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_read_gives_what_write_got_and_adds_to_it(tmp_path):
    cache = PhraseCache(tmp_path)
    assert cache.read(KEY) == {}
    cache.write(KEY, rows("cat", "猫"))
    cache.write(KEY, rows("mouse"))
    assert same(PhraseCache(tmp_path).read(KEY), rows("cat", "猫", "mouse"))
    assert cache.read(dict(KEY, tower="b")) == {}
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("OVDENSE_CACHE", str(tmp_path))
    assert PhraseCache().folder == default_cache_dir() == tmp_path / "text"


@pytest.mark.parametrize("damage", [lambda data: data[:20], lambda data: b"", lambda data: data[:-1] + b"\x7f"])
def test_a_damaged_file_is_made_again(tmp_path, damage):
    cache = PhraseCache(tmp_path)
    cache.write(KEY, rows("cat"))
    path = cache.path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="made again"):
        assert cache.read(KEY) == {}
    cache.write(KEY, rows("dog"))
    assert same(cache.read(KEY), rows("dog"))


def test_a_folder_that_cannot_be_written_only_warns(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = PhraseCache(tmp_path / "file" / "text")
    with pytest.warns(UserWarning, match="cannot be written"):
        cache.write(KEY, rows("cat"))


def test_a_full_disk_only_warns_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ovdense.models.text_encoders.cache.save_file", full)
    with pytest.warns(UserWarning, match="No space left"):
        PhraseCache(tmp_path).write(KEY, rows("cat"))
    assert list(tmp_path.iterdir()) == []


def test_false_keeps_nothing(tmp_path):
    cache = PhraseCache(False)
    cache.write(KEY, rows("cat"))
    assert cache.read(KEY) == {} and cache.folder is None


def write_many(folder, worker):
    warnings.simplefilter("error")
    for step in range(10):
        PhraseCache(folder).write(KEY, rows(f"{worker}-{step}"))
        assert PhraseCache(folder).read(KEY)


def test_two_processes_at_once_never_meet_a_damaged_file(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_many, args=(tmp_path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    kept = PhraseCache(tmp_path).read(KEY)
    assert [worker.exitcode for worker in workers] == [0, 0]
    # One may overwrite what the other added meanwhile (it is encoded again), but the last row of one of them is there.
    assert {"a-9", "b-9"} & kept.keys()
