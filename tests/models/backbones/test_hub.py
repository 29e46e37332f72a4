"""No model hub in reach: said quickly, with the embedded models and the local-file form."""

import socket
import time

import pytest

from ovdense.models.backbones import hub, load_clip

REMEDY = r".*model='lite'.*model='scenes'.*pretrained='/path/to/weights.safetensors'"


def test_offline_setting(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConnectionError, match=r"pretrained='openai' of ViT-B-16 is not on this machine" + REMEDY):
        load_clip("ViT-B-16", "openai")
    with pytest.raises(ConnectionError, match="hf-hub:laion/none is not" + REMEDY):
        load_clip("hf-hub:laion/none")


def closed_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_no_server(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(ConnectionError, match="cannot be reached .*refused" + REMEDY):
        load_clip("ViT-B-32", "laion2b_s34b_b79k")


def test_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "TIMEOUT", 0.2)
    monkeypatch.setattr(hub.urllib.request, "urlopen", lambda *args, **kwargs: time.sleep(2))
    with pytest.raises(ConnectionError, match=r"cannot be reached \(no answer\)" + REMEDY):
        hub.require_connection("https://hub.invalid", "pretrained='x'")


def test_cached_file_needs_no_hub(monkeypatch, tmp_path):
    from pathlib import Path

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    cached = Path(tmp_path) / ".cache" / "clip" / "weights.pt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x")
    assert hub.fetch_tag("m", "t", dict(url="https://host.invalid/abc/weights.pt")) == cached


def test_file_tags_pass():
    assert str(hub.fetch_tag("m", "t", dict(file="/models/w.safetensors"))) == "/models/w.safetensors"


def test_hub_names_prefer_safetensors():
    assert hub.weight_names("")[0].endswith(".safetensors")
    assert hub.weight_names("vit.bin") == ("vit.safetensors", "vit.bin")
