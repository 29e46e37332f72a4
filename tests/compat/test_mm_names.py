"""Configs of the other libraries resolve, nothing calls pip, and only the known noise is silenced."""

import importlib.metadata

import mmengine.logging
import pytest
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE

import ovdense  # noqa: F401
from ovdense.compat import mm_names


@pytest.mark.parametrize(
    ("base", "key"),
    [
        ("mmseg::_base_/datasets/ade20k.py", "train_pipeline"),
        ("mmdet::_base_/datasets/coco_detection.py", "test_pipeline"),
    ],
)
def test_bases_of_other_libraries_resolve(tmp_path, base, key):
    (tmp_path / "config.py").write_text(f"_base_ = '{base}'\n")
    assert key in Config.fromfile(tmp_path / "config.py")


def test_hub_finds_mmseg_without_pip(monkeypatch):
    import mmengine.hub
    import mmengine.utils.package_utils as package_utils

    monkeypatch.setattr(package_utils, "call_command", lambda command: pytest.fail(f"called {command}"))
    config = mmengine.hub.get_config("mmseg::fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py")
    assert config.model.type == "EncoderDecoder"
    with pytest.raises(ModuleNotFoundError, match="pip install mmrotate"):
        mmengine.hub.get_config("mmrotate::a/b.py")


def test_an_upstream_distribution_keeps_its_name(monkeypatch):
    monkeypatch.setitem(MODULE2PACKAGE, "mmseg", "mmsegmentation")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.2.2")
    mm_names.resolve_by_module()
    assert MODULE2PACKAGE["mmseg"] == "mmsegmentation"


def test_only_the_noise_is_silenced(capsys):
    mmengine.logging.print_log("Could not import OneDL. Skipping OneDL datasets.", level=10)
    mmengine.logging.print_log("Could not import your data")
    assert capsys.readouterr().out == "Could not import your data\n"
    before = mmengine.logging.print_log
    mm_names.silence_noise()
    assert mmengine.logging.print_log is before
