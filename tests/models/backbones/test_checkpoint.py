"""Weight files: what is read, what is refused, and what identifies them."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.backbones.checkpoint import file_digest, read_state_dict, tensors_digest


class Payload:
    def __reduce__(self):
        return (os.system, ("true",))


def test_files_that_would_run_code_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(1), "extra": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt cannot be read with weights_only=True"):
        read_state_dict(tmp_path / "evil.pt")


def test_torchscript_is_refused_unless_allowed(tmp_path):
    module = torch.nn.Linear(2, 3)
    torch.jit.save(torch.jit.script(module), tmp_path / "archive.pt")
    with pytest.raises(ValueError, match=r"TorchScript archive.*allow_jit=True"):
        read_state_dict(tmp_path / "archive.pt")
    tensors = read_state_dict(tmp_path / "archive.pt", allow_jit=True)
    torch.testing.assert_close(tensors["weight"], module.weight.detach())


@pytest.mark.parametrize("legacy", [False, True])
def test_wrappers_are_taken_off(tmp_path, legacy):
    state = {"module.a": torch.ones(2), "module.b": torch.zeros(1)}
    path = tmp_path / "run.pth"
    torch.save({"epoch": 3, "state_dict": state}, path, _use_new_zipfile_serialization=not legacy)
    tensors = read_state_dict(path)
    assert sorted(tensors) == ["a", "b"] and tensors["a"].tolist() == [1, 1]


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pt", "empty.pt", "empty.safetensors"])
def test_damaged_files_say_which(tmp_path, name):
    (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"not weights at all" * 10)
    with pytest.raises(ValueError, match=name):
        read_state_dict(tmp_path / name)


def test_files_without_tensors(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match=r"list\.pt holds no tensors by name, got list"):
        read_state_dict(tmp_path / "list.pt")
    with pytest.raises(FileNotFoundError, match="no weight file"):
        read_state_dict(tmp_path / "nothing.pt")


def test_digest_follows_the_content(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(2)}, path)
    first = file_digest(path)
    assert len(first) == 16 and int(first, 16) >= 0
    save_file({"a": torch.zeros(3)}, path)
    assert file_digest(path) != first


def test_digest_of_tensors_sees_names_types_and_values():
    base = {"a": torch.ones(2), "b": torch.zeros(())}
    assert tensors_digest(base) == tensors_digest(dict(reversed(base.items())))
    others = [{"a": torch.ones(2)}, {"c": torch.ones(2), "b": torch.zeros(())}, {**base, "a": torch.ones(2).bfloat16()}]
    assert len({tensors_digest(base), *(tensors_digest(other) for other in others)}) == 4


def test_pickle_protocol_files_are_not_weights(tmp_path):
    (tmp_path / "x.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ValueError, match=r"x\.pt"):
        read_state_dict(tmp_path / "x.pt")
