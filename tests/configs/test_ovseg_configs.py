"""Every config of OVSeg reads, is what its name says, and builds; the tiny twins learn on drawn scenes."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2] / "configs"
FULL = sorted((ROOT / "ovseg").glob("*.py"))
SEGMENTORS = [path for path in FULL if path.stem.startswith("ovseg_")]
CLIPS = [path for path in FULL if path not in SEGMENTORS]
WEIGHTS = {"ade20k": 0.7, "context59": 0.6, "context459": 0.6, "voc20": 0.45, "coco": 0.7, "generic": 0.0}


def name_of(path):
    return path.stem


@pytest.mark.parametrize("path", SEGMENTORS, ids=name_of)
def test_a_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    assert config.default_scope == "ovdense" and config.model.type == "OVSeg"
    side = int(path.stem.rsplit("-", 1)[1])
    large = "vit-l14" in path.stem
    assert (side, config.model.mask_head.embed_dim) == ((640, 768) if large else (512, 512))
    assert config.test_pipeline[1].scale == (4 * side, side)
    kind = next(name for name in WEIGHTS if f"_{name}" in path.stem)
    assert config.model.ensemble.weight == WEIGHTS[kind]
    if kind != "generic":
        load_vocabulary(config.model.vocabulary)
        assert config.test_dataloader.dataset.pipeline == config.test_pipeline
    for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
        with DefaultScope.overwrite_default_scope("ovdense"):
            TRANSFORMS.build(step)
    if "120k" in path.stem:
        assert config.train_cfg.max_iters == 120000 and config.optim_wrapper.clip_grad.max_norm == 0.01
        assert config.optim_wrapper.optimizer.lr == (6e-5 if large else 2e-4)
        assert int(path.stem.split("xb")[0][-1]) * config.train_dataloader.batch_size == 32


@pytest.mark.parametrize("path", CLIPS, ids=name_of)
def test_a_training_of_the_clip_is_what_its_name_says(path):
    config = Config.fromfile(path)
    assert f"4xb{config.train_dataloader.batch_size}-5e" in path.stem and config.train_cfg.max_epochs == 5
    prompts = path.stem.startswith("ovseg-prompts")
    assert config.model.get("prompts_only", False) == prompts
    assert config.model.backbone.mask_prompt_depth == (3 if prompts else 0)
    assert config.optim_wrapper.optimizer.lr == (0.05 if prompts else 5e-6)


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("name", ["ovseg_swin-b_vit-l14_generic-640", "ovseg_r101c_vit-b16_generic-512"])
def test_full_models_build(name):
    config = Config.fromfile(ROOT / "ovseg" / f"{name}.py")
    config.model.update(text_encoder=None, vocabulary=None, trained_on=None)
    config.model.region_classifier.backbone.pretrained = None
    trunk = config.model.backbone.trunk
    if "Swin" in trunk.type:  # it computes with numbers while it is built, which shapes without memory have not
        assert [trunk.embed_dims * 2**stage for stage in range(4)] == config.model.mask_head.in_channels
        config.model.backbone.trunk = dict(type="mmdet.ResNet", depth=18)
    with DefaultScope.overwrite_default_scope("ovdense"), torch.device("meta"):  # shapes without memory
        model = MODELS.build(config.model)
    grid = 16 if "l14" in name else 14
    assert model.region_classifier.size == (224, 224)
    assert model.region_classifier.backbone.mask_embedding.shape[:2] == (3, grid * grid)
    assert model.mask_head.num_queries == 100 and len(model.mask_head.transformer_decoder.layers) == 6


def runner_of(name, tmp_path, **options):
    config = Config.fromfile(ROOT / "tiny" / f"{name}.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict({"test_dataloader.dataset.num_scenes": 24, **options})
    return Runner.from_cfg(config)


def test_proposals_learn_on_base_classes_and_name_novel_ones(tmp_path):
    """One short training; its checkpoint answers for base and novel classes, and semantic maps."""
    steps = {
        "train_cfg.max_iters": 60,
        "train_cfg.val_interval": 60,
        "param_scheduler.0.total_steps": 60,
        "default_hooks.checkpoint.interval": 60,
        "val_dataloader.dataset.num_scenes": 4,
    }
    trainer = runner_of("ovseg_scenes_1xb8-300_scenes-115-96", tmp_path, **steps)
    before = trainer.model.region_classifier.backbone.visual.conv1.weight.clone()
    trainer.train()
    losses = trainer.message_hub.get_scalar("train/loss").data[0]
    assert losses[-10:].mean() < 0.8 * losses[:5].mean()
    assert torch.equal(before, trainer.model.region_classifier.backbone.visual.conv1.weight)
    checkpoint = str(tmp_path / "iter_60.pth")
    metrics = runner_of("ovseg_scenes_scenes-143-96", tmp_path / "pan", load_from=checkpoint).test()
    assert {"scenes/PQ_base", "scenes/PQ_novel"} <= set(metrics)
    metrics = runner_of("ovseg_scenes_scenes-48-96", tmp_path / "sem", load_from=checkpoint).test()
    assert metrics["mIoU"] > 2 * 100 / 48  # chance is 1


def test_crops_name_proposals_without_any_training(tmp_path):
    metrics = runner_of("ovseg-regions_scenes_scenes-127-96", tmp_path).test()
    assert metrics["coco/segm_mAP_50"] > 0.2
