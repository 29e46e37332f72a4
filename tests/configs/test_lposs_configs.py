"""LPOSS's configs read, build at full size, label a picture, and lift the embedded CLIP on scenes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.apis import inference_model, init_model

from ovdense.apis.configs import method_config, use_backbone
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2] / "configs"
FULL = sorted((ROOT / "lposs").glob("*.py"))
# One of each kind for what takes time; test_protocol_configs.py reads all of them.
BUILT = [path for path in FULL if "generic" in path.stem or "ade20k" in path.stem]
TINY = sorted((ROOT / "tiny").glob("lposs*generic*.py"))


def picture(height=60, width=80):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_full_config_has_the_papers_settings(path):
    config = Config.fromfile(path)
    backbone, test = config.model.backbone, config.model.test_cfg
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    assert backbone.model == config.model.text_encoder.model == "ViT-B-16"
    assert backbone.pretrained == config.model.text_encoder.pretrained == "laion2b_s34b_b88k"
    assert (test.crop_size, test.stride, config.test_pipeline[1].scale[1]) == (224, 112, 448)
    assert ("refine" in config.model) == path.stem.startswith("lposs-plus")
    backbone.pretrained, backbone.companion.pretrained = None, False
    with torch.device("meta"):  # shapes without memory
        model = MODELS.build(config.model)
    assert model.backbone.embed_dim == 512 and model.backbone.companion.embed_dim == 768
    assert model.num_classes == (150 if "ade20k" in path.stem else 133)
    assert model.decode_head.graph == dict(neighbours=400, gamma=3.0, sigma=0.01)
    assert model.decode_head.solver == dict(alpha=0.95, num_iter=10, tol=1e-6)
    if model.refine is not None:
        assert model.refine.graph == dict(radius=6, tau=0.01) and model.refine.solver == model.decode_head.solver


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_full_config_labels_a_picture_with_random_weights(path):
    config = Config.fromfile(path)
    vision = dict(image_size=64, layers=2, width=48, head_width=16, patch_size=16)
    text = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    config.model.backbone.update(model=dict(embed_dim=24, vision_cfg=vision, text_cfg=text), pretrained=None)
    config.model.backbone.companion.update(pretrained=False, model_options=dict(depth=1, embed_dim=48, num_heads=2))
    config.model.text_encoder = None
    config.model.class_embeddings = torch.randn(150 if "ade20k" in path.stem else 133, 24)
    model = init_model(config, device="cpu")
    for step in model.cfg.test_pipeline:
        if step.type.endswith("Resize"):
            step.scale = (2048, 120)
    assert inference_model(model, picture()).pred_sem_seg.data.shape == (1, 60, 80)


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_tiny_config_answers_and_takes_other_names(path):
    model = init_model(str(path), device="cpu")
    assert inference_model(model, picture(70, 96)).pred_sem_seg.data.shape == (1, 70, 96)
    model.set_vocabulary(["cat", "sky"])
    assert int(inference_model(model, picture(70, 96)).pred_sem_seg.data.max()) <= 1


def test_the_command_line_finds_the_method_and_puts_another_clip_into_it():
    assert method_config("segmentation", "scenes", "lposs")[0].stem == "lposs_scenes_generic-96"
    assert method_config("segmentation", "scenes", "lposs-plus")[0].stem == "lposs-plus_scenes_generic-96"
    assert method_config("segmentation", "ViT-B-16", "lposs")[0].stem == "lposs_vit-b16_generic-448"
    config = use_backbone(Config.fromfile(BUILT[0]), "ViT-L-14", "openai")
    assert config.model.backbone.model == config.model.text_encoder.model == "ViT-L-14"


def test_propagation_lifts_the_embedded_clip(tmp_path):
    """57.3, 65.8 and 67.9 on the fixed scenes of semantic-48; chance is 0.8."""
    found = []
    for name in ("maskclip", "lposs", "lposs-plus"):
        config = Config.fromfile(ROOT / "tiny" / f"{name}_scenes_scenes-48-96.py")
        config.work_dir = str(tmp_path)
        config.test_dataloader.dataset.update(fixed="base")
        found.append(Runner.from_cfg(config).test()["mIoU"])
    assert found == pytest.approx([57.3, 65.8, 67.9], abs=1.0)
    assert found[0] + 3 < found[1] < found[2]


def test_readme_names_the_paper_the_command_and_every_config():
    text = (ROOT / "lposs" / "README.md").read_text(encoding="utf-8")
    assert "arXiv 2503.19777" in text and "--method lposs" in text
    for path in FULL:
        assert path.name in text
