"""Weights from a model hub: what is cached is used without a connection; no hub in reach is said at once.

Nothing here runs unless a config names a tag or a hub model.
"""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT = 6.0
HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def fetch_tag(name: str, tag: str, tag_cfg: dict) -> Path:
    """The weight file of an open_clip tag: from the cache, else downloaded by open_clip.

    Raises:
        ConnectionError: not cached and no hub in reach.
    """
    from open_clip.pretrained import download_pretrained

    if tag_cfg.get("file"):
        return Path(tag_cfg["file"])
    cached = cached_tag(tag_cfg)
    if cached is not None:
        return cached
    repository, url = tag_cfg.get("hf_hub", ""), tag_cfg.get("url", "")
    endpoint = hub_endpoint() if repository else url
    what = f"pretrained={tag!r} of {name}"
    require_connection(endpoint, what)
    try:
        return Path(download_pretrained(tag_cfg))
    except Exception as error:  # whatever the hub client raises, the remedy is the same
        raise ConnectionError(offline_message(what, endpoint, error)) from error


def cached_tag(tag_cfg: dict) -> Path | None:
    """The file of a tag when an earlier download left it here."""
    if tag_cfg.get("hf_hub"):
        repository, file_name = os.path.split(tag_cfg["hf_hub"])
        cached = cached_hub_file(repository, weight_names(file_name))
        if cached is not None:
            return cached
    if tag_cfg.get("url"):
        path = Path("~/.cache/clip").expanduser() / os.path.basename(tag_cfg["url"])
        if path.is_file():
            return path
    return None


def weight_names(file_name: str) -> tuple[str, ...]:
    """The file of a hub repository and its safetensors twin, safe one first."""
    if not file_name:
        return HUB_FILES
    return (str(Path(file_name).with_suffix(".safetensors")), file_name)


def cached_hub_file(repository: str, file_names: tuple[str, ...]) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for file_name in file_names:
        found = try_to_load_from_cache(repository, file_name)
        if isinstance(found, str):
            return Path(found)
    return None


def fetch_hub_config(repository: str) -> tuple[dict, Path]:
    """(config, weight file) of ``hf-hub:org/name``."""
    config = cached_hub_file(repository, ("open_clip_config.json",))
    weights = cached_hub_file(repository, HUB_FILES)
    if config is None or weights is None:
        what, endpoint = f"hf-hub:{repository}", hub_endpoint()
        require_connection(endpoint, what)
        from open_clip.pretrained import download_pretrained_from_hf

        try:
            config = Path(download_pretrained_from_hf(repository, filename="open_clip_config.json"))
            weights = Path(download_pretrained_from_hf(repository))
        except Exception as error:  # whatever the hub client raises, the remedy is the same
            raise ConnectionError(offline_message(what, endpoint, error)) from error
    return json.loads(config.read_text(encoding="utf-8")), weights


def hub_endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def require_connection(url: str, what: str) -> None:
    """ConnectionError, within a few seconds, when ``url`` cannot be reached (through the proxy, if one is set)."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise ConnectionError(offline_message(what, url, "HF_HUB_OFFLINE is set"))
    outcome: list[object] = ["no answer"]

    def probe() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                outcome[0] = None
        except urllib.error.HTTPError:
            outcome[0] = None  # an answer, if only to say no: the client will explain it
        except Exception as error:
            outcome[0] = error

    thread = threading.Thread(target=probe, daemon=True)  # name look-ups obey no timeout of their own
    thread.start()
    thread.join(TIMEOUT)
    if outcome[0] is not None:
        raise ConnectionError(offline_message(what, url, outcome[0]))


def offline_message(what: str, url: str, reason: object) -> str:
    return (
        f"{what} is not on this machine and {url} cannot be reached ({reason}). Use an embedded model, "
        "model='lite' (photographs) or model='scenes' (drawn scenes) with pretrained=None, or give a local weight "
        "file, pretrained='/path/to/weights.safetensors'"
    )
