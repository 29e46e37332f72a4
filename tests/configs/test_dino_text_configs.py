"""The shipped configs of methods that give a DINO words: Talk2DINO and dino.txt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model

from ovdense.registry import DATASETS, MODELS, TRANSFORMS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
ROOT = Path(__file__).resolve().parents[2] / "configs"
PATHS = sorted(path for method in ("talk2dino", "dinotxt") for path in (ROOT / method).glob("*.py"))
# One of each kind for what takes time; test_protocol_configs.py reads all of them.
BUILT = [path for path in PATHS if "generic" in path.stem or "ade20k" in path.stem]
GENERIC = [path for path in PATHS if "generic" in path.stem]
TRUNKS = {
    "dinov2-vit-b14": ("vit_base_patch14_reg4_dinov2", 768, 448),
    "dinov2-vit-l14": ("vit_large_patch14_reg4_dinov2", 1024, 518),
    "dinov3-vit-b16": ("vit_base_patch16_dinov3", 768, 448),
    "dinov3-vit-l16": ("vit_large_patch16_dinov3", 1024, 448),
}


def name_of(path):
    return path.stem


def without_weights(config):
    """The model of a config with random weights, to be built on the meta device."""
    model = config.model
    if model.backbone.type == "DINOTxtBackbone":
        model.backbone.update(pretrained=None, trunk_pretrained=False)
    else:
        model.backbone.pretrained = False
        model.decode_head.pretrained = None
    return model


@pytest.mark.parametrize("path", BUILT, ids=name_of)
def test_config_is_what_its_name_says_and_builds_at_full_size(path):
    config = Config.fromfile(path)
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40 and config.default_scope == "ovdense"
    trunk, channels, size = TRUNKS[path.stem.split("_")[1]]
    assert config.model.backbone.model == trunk
    assert config.model.vocabulary.source == ("coco-133" if "generic" in path.stem else "ade20k-150")
    if path.stem.startswith("talk2dino"):
        assert config.model.backbone.input_size == size and config.model.text_encoder.model == "ViT-B-16"
    for step in config.test_pipeline:
        TRANSFORMS.build(step)
    with torch.device("meta"):
        model = MODELS.build(without_weights(config))
    assert model.backbone.embed_dim == channels
    if "1xb128-100e" in path.stem:
        assert config.optim_wrapper.optimizer == dict(type="Adam", lr=1e-4) and config.train_cfg.max_epochs == 100
        assert config.train_dataloader.batch_size == 128 and config.custom_hooks[0].type == "CaptionFeaturesHook"
        assert config.train_dataloader.dataset.pipeline[2].size == size
        DATASETS.build(dict(config.train_dataloader.dataset, lazy_init=True))


@pytest.mark.parametrize("path", GENERIC, ids=name_of)
def test_generic_config_labels_a_picture_with_random_weights(path):
    config = Config.fromfile(path)
    model = without_weights(config)
    patch = 14 if "dinov2" in path.stem else 16
    model.backbone.model_options = dict(embed_dim=32, depth=2, num_heads=2)
    model.text_encoder, rows = None, 32
    if model.backbone.type == "DINOBackbone":
        model.backbone.input_size = 4 * patch
        model.decode_head.update(text_dim=24, image_dim=32)
        rows = 24
    model.class_embeddings = torch.randn(133, rows)
    built = init_model(config, device="cpu")
    for step in built.cfg.test_pipeline:
        if step.type.endswith("Resize"):
            step.scale = (2048, 120)
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    result = inference_model(built, picture).pred_sem_seg.data
    assert result.shape == (1, 60, 80) and int(result.max()) < 133


@pytest.mark.parametrize("method", ["talk2dino", "dinotxt"])
def test_readme_names_the_paper_and_every_config(method):
    text = (ROOT / method / "README.md").read_text(encoding="utf-8")
    assert "arXiv" in text and "ovdense segment" in text
    for path in (ROOT / method).glob("*.py"):
        assert path.name in text
