"""Every shipped segmentor config reads, is what its name says, builds at full size, and labels a picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model

from ovdense.models.segmentors import TestSettings
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2] / "configs"
METHODS = ("maskclip", "sclip", "clearclip", "naclip", "gem", "scclip", "resclip")
FULL = sorted(path for method in METHODS for path in (ROOT / method).glob("*.py"))
# One of each kind for what takes time; test_protocol_configs.py reads all of them.
BUILT = [path for path in FULL if "generic" in path.stem or "ade20k" in path.stem]
TINY = [path for path in sorted((ROOT / "tiny").glob("*.py")) if path.name.split("_")[0] in METHODS]
MODEL_NAMES = {"vit-b16": "ViT-B-16", "vit-l14": "ViT-L-14", "rn50": "RN50"}


def name_of(path):
    return path.stem


def on_random_weights(config):
    """The config with a small random CLIP of its kind instead of downloaded weights, and random rows for the names."""
    resnet = config.model.backbone.model.startswith("RN")
    vision = dict(image_size=64, layers=[1, 1, 1, 1] if resnet else 7, width=16 if resnet else 48, head_width=16)
    vision["patch_size"] = None if resnet else 16
    text = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    config.model.backbone.model = dict(embed_dim=24, vision_cfg=vision, text_cfg=text)
    config.model.backbone.pretrained = None
    config.model.text_encoder = None
    config.model.class_embeddings = torch.randn(150 if "ade20k" in config.model.vocabulary.source else 133, 24)
    return config


@pytest.mark.parametrize("path", BUILT, ids=name_of)
def test_full_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    model = config.model
    assert config.default_scope == "ovdense" and model.type == "OpenVocabSegmentor"
    assert model.backbone.model == model.text_encoder.model == MODEL_NAMES[path.stem.split("_")[1]]
    assert model.backbone.pretrained == model.text_encoder.pretrained == "openai"
    (resize,) = (step for step in config.test_pipeline if step.type.endswith("Resize"))
    assert resize.scale[1] == int(path.stem.rsplit("-", 1)[1])
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    TestSettings.parse(model.test_cfg)
    for step in config.test_pipeline:
        TRANSFORMS.build(step)
    if "generic" not in path.stem:
        assert config.test_dataloader.dataset.pipeline[1].scale == resize.scale
        assert config.val_dataloader == config.test_dataloader
        assert model.vocabulary.source.startswith("ade20k") and model.vocabulary.templates == "imagenet-80"


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_every_segmentor_is_found_from_the_scope_of_mmsegs_inferencer():
    paths = [path for path in ROOT.glob("[!_]*/*.py") if "/_base_/protocols/" not in path.read_text()]
    models = {path.stem: Config.fromfile(path).model for path in paths}
    segmentors = {name: model for name, model in models.items() if model.type == "OpenVocabSegmentor"}
    assert len(segmentors) > 20
    assert not [name for name, model in segmentors.items() if model.get("_scope_") != "ovdense"]


@pytest.mark.parametrize("path", BUILT, ids=name_of)
def test_full_config_builds_at_full_size(path):
    config = Config.fromfile(path)
    config.model.backbone.pretrained = None
    with torch.device("meta"):  # shapes without memory
        model = MODELS.build(config.model)
    widths = {"ViT-B-16": 512, "ViT-L-14": 768, "RN50": 1024}
    assert model.backbone.embed_dim == widths[config.model.backbone.model]
    assert model.num_classes == (150 if "ade20k" in path.stem else 133)


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("path", BUILT, ids=name_of)
def test_full_config_labels_a_picture_with_random_weights(path):
    config = on_random_weights(Config.fromfile(path))
    if config.model.get("refine"):
        config.model.refine.num_iter = 1
    model = init_model(config, device="cpu")
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    for step in model.cfg.test_pipeline:
        if step.type.endswith("Resize"):
            step.scale = (2048, 120)
    result = inference_model(model, picture)
    assert result.pred_sem_seg.data.shape == (1, 60, 80)
    assert int(result.pred_sem_seg.data.max()) < model.num_classes


@pytest.mark.parametrize("path", TINY, ids=name_of)
def test_tiny_config_answers_and_takes_other_names(path):
    model = init_model(str(path), device="cpu")
    picture = np.random.default_rng(0).integers(0, 255, (70, 96, 3), dtype=np.uint8)
    if model.vocabulary is None:
        model.set_vocabulary("scenes-48")
    assert inference_model(model, picture).pred_sem_seg.data.shape == (1, 70, 96)
    model.set_vocabulary(["cat", "sky"])
    assert int(inference_model(model, picture).pred_sem_seg.data.max()) <= 1


def test_every_method_has_both_kinds_of_data_and_both_sizes():
    names = {path.stem for path in FULL}
    for method in METHODS:
        for backbone in ("vit-b16", "vit-l14"):
            assert any(name.startswith(f"{method}_{backbone}_generic") for name in names)
            assert any(name.startswith(f"{method}_{backbone}_ade20k-150") for name in names)
    assert {"maskclip_rn50_generic-448", "maskclip_rn50_ade20k-150-448"} <= names


@pytest.mark.parametrize("method", METHODS)
def test_readme_names_the_paper_the_command_and_every_config(method):
    text = (ROOT / method / "README.md").read_text(encoding="utf-8")
    assert "arXiv" in text and f"--method {method}" in text
    for path in (ROOT / method).glob("*.py"):
        assert path.name in text
