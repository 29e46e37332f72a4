"""The doctor reports what is there, says what to do, and never uses the network."""

import io
import socket

import pytest

from ovdense import compat
from ovdense.apis import doctor


@pytest.fixture
def bare_home(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OVDENSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("the doctor used the network"))
    return tmp_path


def test_report_on_a_bare_machine(bare_home):
    stream = io.StringIO()
    assert doctor.run_doctor(stream) == 0
    text = stream.getvalue()
    for word in ("torchvision", "mmcv", "scenes", "none needed for the embedded models", "0 files"):
        assert word in text
    assert all(len(line) < 400 for line in text.splitlines())


def test_cached_weights_and_embeddings_are_counted(bare_home):
    snapshot = bare_home / ".cache/huggingface/hub/models--timm--vit_base_patch16_clip_224.openai/snapshots/1"
    snapshot.mkdir(parents=True)
    (snapshot / "open_clip_model.safetensors").write_bytes(b"0" * 300_000)
    (snapshot / "config.json").write_text("{}")
    (bare_home / "cache/text").mkdir(parents=True)
    (bare_home / "cache/text/a.safetensors").write_bytes(b"0" * 2000)
    facts = doctor.collect()
    assert facts["hub"]["weights"] == [dict(name="timm/vit_base_patch16_clip_224.openai", bytes=300_000)]
    assert (facts["text_cache"]["files"], facts["text_cache"]["bytes"]) == (1, 2000)
    text = doctor.render(facts)
    assert "0.3 MB" in text and "2.0 kB" in text


def test_operators_and_models_come_with_remedies(bare_home):
    facts = doctor.doctor()
    assert facts["operators"] == [fact.to_dict() for fact in compat.report()]
    assert {"scenes", "text_tower"} <= {row["name"] for row in facts["models"]}
    assert all(row["bytes"] > 0 and not row["remedy"] for row in facts["models"])
    assert facts["device"]["gpus"] or facts["device"]["remedy"]


def test_a_missing_package_is_named(bare_home, monkeypatch):
    monkeypatch.setitem(doctor.PACKAGES, "timm", ("no-such-distribution",))
    stream = io.StringIO()
    assert doctor.run_doctor(stream) == 1
    assert "MISSING" in stream.getvalue() and "pip install no-such-distribution" in stream.getvalue()


def test_complete_binaries_are_called_native():
    rows = [dict(library="mmcv", operator="*", state=compat.NATIVE, remedy="")]
    assert doctor._operator_lines(rows) == ["  mmcv               native         all"]
