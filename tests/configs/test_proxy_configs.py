"""The configs of the methods that put a vision model beside CLIP: names, full size, a picture on small random weights."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model

from ovdense.models.segmentors import TestSettings
from ovdense.models.segmentors.sam_prompts import SAMPrompts
from ovdense.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[2] / "configs"
METHODS = ("proxyclip", "trident")
FULL = sorted(path for method in METHODS for path in (ROOT / method).glob("*.py"))
# One of each kind for what takes time; test_protocol_configs.py reads all of them.
BUILT = [path for path in FULL if "generic" in path.stem or "ade20k" in path.stem]
UNREFINED = [path for path in BUILT if "sam-refine" not in path.name]  # the others differ by ``refine`` alone
TINY = sorted(path for method in METHODS for path in (ROOT / "tiny").glob(f"{method}_*.py"))
MODEL_NAMES = {"vit-b16": ("ViT-B-16", 512), "vit-l14": ("ViT-L-14", 768)}
OTHERS = ("proxy", "correlation")  # the backbone's own backbones
SMALL = {
    "DINOBackbone": dict(img_size=64, depth=2, embed_dim=32, num_heads=2),
    "SAMBackbone": dict(
        img_size=64, patch_size=16, depth=2, embed_dim=32, num_heads=2, neck_chans=8, window_size=3, global_attn_indexes=[1]
    ),
}

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def name_of(path):
    return path.stem


def without_weights(config):
    config.model.backbone.pretrained = None
    for key in OTHERS:
        if key in config.model.backbone:
            assert config.model.backbone[key].pretrained is True
            config.model.backbone[key].pretrained = False
    return config


@pytest.mark.parametrize("path", FULL, ids=name_of)
def test_full_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    model = config.model
    assert config.default_scope == "ovdense" and model._scope_ == "ovdense"
    assert model.backbone.model == model.text_encoder.model == MODEL_NAMES[path.stem.split("_")[1]][0]
    (resize,) = (step for step in config.test_pipeline if step.type.endswith("Resize"))
    assert resize.scale[1] == int(path.stem.rsplit("-", 1)[1])
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    TestSettings.parse(model.test_cfg)
    if "sam-refine" in path.stem:
        known = inspect.signature(SAMPrompts.__init__).parameters
        assert model.refine.type == "SAMPrompts" and set(model.refine) - {"type"} <= set(known)
    if "ade20k" in path.stem:
        assert config.test_dataloader.dataset.pipeline[1].scale == resize.scale
        assert config.val_dataloader == config.test_dataloader
        DATASETS.build(dict(config.test_dataloader.dataset, lazy_init=True))


@pytest.mark.parametrize("path", UNREFINED, ids=name_of)
def test_full_config_builds_at_full_size(path):
    config = without_weights(Config.fromfile(path))
    with torch.device("meta"):  # shapes without memory
        model = MODELS.build(config.model)
    assert model.backbone.embed_dim == MODEL_NAMES[path.stem.split("_")[1]][1]
    assert model.num_classes == (150 if "ade20k" in path.stem else 133)


@pytest.mark.parametrize("path", UNREFINED, ids=name_of)
def test_full_config_labels_a_picture_with_random_weights(path):
    config = without_weights(Config.fromfile(path))
    backbone = config.model.backbone
    vision = dict(image_size=64, layers=2, width=48, head_width=16, patch_size=int(path.stem.split("_")[1][-2:]))
    text = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    backbone.model = dict(embed_dim=24, vision_cfg=vision, text_cfg=text)
    for key in OTHERS:
        if key in backbone:
            backbone[key].model_options = SMALL[backbone[key].type]
    for key in ("proxy_size", "correlation_size"):
        if backbone.get(key):
            backbone[key] = 64
    config.model.text_encoder = None
    config.model.class_embeddings = torch.randn(150 if "ade20k" in path.stem else 133, 24)
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


def test_every_method_has_a_twin_both_kinds_of_data_and_both_sizes():
    names = {path.stem for path in FULL}
    for method in METHODS:
        assert any(path.stem.startswith(f"{method}_scenes") for path in TINY)
        for backbone in MODEL_NAMES:
            assert any(name.startswith(f"{method}_{backbone}_generic") for name in names)
            assert any(name.startswith(f"{method}_{backbone}_ade20k-150") for name in names)


@pytest.mark.parametrize("method", METHODS)
def test_readme_names_the_paper_the_command_and_every_config(method):
    text = (ROOT / method / "README.md").read_text(encoding="utf-8")
    assert "arXiv" in text and f"--method {method}" in text
    for path in (ROOT / method).glob("*.py"):
        assert path.name in text
