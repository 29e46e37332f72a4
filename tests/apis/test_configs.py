"""Finding configs by path and name, and changing them."""

import pytest
from mmengine.config import Config

from ovdense.apis import ConfigError, find_config, load_config, task_of, use_backbone
from ovdense.apis import configs as configs_module
from ovdense.apis.configs import inference_pipeline, method_config, picture_config, untrained_methods


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of configs as they are shipped."""
    root = tmp_path / "configs"
    for name in (
        "_base_/base.py",
        "maskclip/maskclip_vit-b16_generic-448.py",
        "maskclip/maskclip_rn50_generic-448.py",
        "maskclip/maskclip_vit-b16_ade20k-150-448.py",
        "sclip/sclip_vit-b16_generic-336.py",
        "lite/dense_lite_generic-448.py",
        "boxes/region-text_lite_generic-448.py",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = "OpenVocabDetector" if "boxes" in name else "OpenVocabSegmentor"
        path.write_text(f"model = dict(type={kind!r}, backbone=dict(model='ViT-B-16'))\n")
    monkeypatch.setattr(configs_module, "config_root", lambda: root)
    return root


def test_by_path_and_by_name(shelf):
    path = shelf / "sclip" / "sclip_vit-b16_generic-336.py"
    assert find_config(path) == path
    for name in ("sclip/sclip_vit-b16_generic-336.py", "sclip_vit-b16_generic-336", "sclip_vit-b16_generic-336.py"):
        assert find_config(name) == path
    with pytest.raises(ConfigError, match="did you mean sclip_vit-b16_generic-336"):
        find_config("sclip_vitb16_generic")
    with pytest.raises(ConfigError, match="got int"):
        load_config(3)


def test_a_loaded_config_is_ones_own():
    config = Config(dict(model=dict(test_cfg=dict(mode="whole"))))
    changed = load_config(config, {"model.test_cfg.mode": "slide"})
    assert changed.model.test_cfg.mode == "slide" and config.model.test_cfg.mode == "whole"


@pytest.mark.parametrize(
    ("task", "model", "method", "expected", "exact"),
    [
        ("segmentation", "ViT-B-16", "maskclip", "maskclip_vit-b16_generic-448", True),
        ("segmentation", "ViT-L-14", "maskclip", "maskclip_vit-b16_generic-448", False),
        ("segmentation", "RN50", "maskclip", "maskclip_rn50_generic-448", True),
        ("segmentation", "RN101", "maskclip", "maskclip_rn50_generic-448", False),
        ("segmentation", "ViT-B-16", "sclip", "sclip_vit-b16_generic-336", True),
        ("segmentation", "ViT-B-16", None, "maskclip_vit-b16_generic-448", True),
        ("segmentation", "lite", None, "dense_lite_generic-448", True),
        ("detection", "lite", None, "region-text_lite_generic-448", True),
    ],
)
def test_config_for_a_model_and_method(shelf, task, model, method, expected, exact):
    path, fits = method_config(task, model, method)
    assert (path.stem, fits) == (expected, exact)


def test_unknown_method_lists_the_known(shelf):
    with pytest.raises(ConfigError, match="maskclip, region-text, sclip"):
        method_config("segmentation", "lite", "mystery")
    with pytest.raises(ConfigError, match="detection with method 'sclip'"):
        method_config("detection", "lite", "sclip")


def test_another_backbone_changes_both_towers():
    config = Config(dict(model=dict(backbone=dict(model="a", pretrained="b"), text_encoder=dict(model="a"))))
    use_backbone(config, "ViT-L-14:openai")
    assert config.model.backbone == config.model.text_encoder == dict(model="ViT-L-14", pretrained="openai")
    use_backbone(config, "lite")
    assert config.model.backbone.pretrained is None
    with pytest.raises(ConfigError, match=r"needs weights.*lite, scenes"):
        use_backbone(config, "ViT-L-14")
    with pytest.raises(ConfigError, match="no CLIP backbone"):
        use_backbone(Config(dict(model=dict(backbone=dict(type="ResNet")))), "lite")


def test_tasks_and_pipelines():
    assert task_of(Config(dict(model=dict(type="OpenVocabSegmentor")))) == "segmentation"
    assert task_of(Config(dict(model=dict(type="ovdense.OpenVocabDetector")))) == "detection"
    assert task_of(Config(dict(model=dict(type="mmdet.MaskRCNN")))) == "detection"
    steps = [dict(type="LoadImage"), dict(type="mmdet.LoadAnnotations"), dict(type="mmseg.PackSegInputs")]
    config = Config(dict(test_dataloader=dict(dataset=dict(dataset=dict(pipeline=steps)))))
    assert [step["type"] for step in inference_pipeline(config)] == ["LoadImage", "mmseg.PackSegInputs"]
    with pytest.raises(ConfigError, match="no test_pipeline"):
        inference_pipeline(Config(dict(model=dict())))


@pytest.mark.parametrize("name", ["talk2dino_dinov2-vit-b14_generic-448", "dinotxt_dinov2-vit-l14_generic-512"])
def test_two_models_are_not_replaced_by_one(name):
    with pytest.raises(ConfigError, match=r"two models \(vit_.*that 'ViT-B-16' cannot stand for"):
        use_backbone(load_config(name), "ViT-B-16", "openai")


def test_untrained_methods_by_model(shelf):
    for name in ("sclip_scenes_scenes-48-96", "probe_scenes_1xb16-60_scenes-48-96", "maskclip_scenes_generic-96"):
        (shelf / "sclip" / f"{name}.py").write_text("model = dict(type='OpenVocabSegmentor')\n")
    (shelf / "sclip" / "maskclip_scenes_ks-pd_scenes-48-96.py").write_text("model = dict(type='OpenVocabSegmentor')\n")

    def stems(model, task="segmentation"):
        return {method: path.stem for method, path in untrained_methods(task, model).items()}

    assert stems("scenes") == {"maskclip": "maskclip_scenes_generic-96", "sclip": "sclip_scenes_scenes-48-96"}
    assert stems("lite") == {"dense": "dense_lite_generic-448"}
    assert stems("lite", "detection") == {"region-text": "region-text_lite_generic-448"}
    assert stems("RN50")["maskclip"] == "maskclip_rn50_generic-448"
    assert stems("ViT-B-16")["sclip"] == "sclip_vit-b16_generic-336"


def test_twins_of_an_embedded_model_read_pictures_as_its_generic_config():
    config = picture_config(find_config("naclip_scenes_scenes-48-96"), "scenes")
    assert config.model.backbone.attention == "kk+gaussian"
    assert config.test_pipeline == load_config("maskclip_scenes_generic-96").test_pipeline
    swapped = picture_config(find_config("sclip_vit-b16_generic-336"), "ViT-L-14", "openai")
    assert swapped.model.backbone.model == swapped.model.text_encoder.model == "ViT-L-14"
