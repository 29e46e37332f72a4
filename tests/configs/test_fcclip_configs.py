"""FC-CLIP's configs: full size as the paper states it, and the tiny twin trained, tested and asked for other names."""

import importlib.util
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
FULL = sorted((ROOT / "configs" / "fcclip").glob("*.py"))
TINY = ROOT / "configs" / "tiny"
BACKBONES = {
    "convnext-l": ("convnext_large_d_320", [192, 384, 768, 1536]),
    "convnext-b": ("convnext_base_w_320", [128, 256, 512, 1024]),
    "rn50": ("RN50", [256, 512, 1024, 2048]),
    "rn50x4": ("RN50x4", [320, 640, 1280, 2560]),
    "rn50x16": ("RN50x16", [384, 768, 1536, 3072]),
    "rn50x64": ("RN50x64", [512, 1024, 2048, 4096]),
}


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    model, channels = BACKBONES[path.stem.split("_")[1]]
    assert config.model.backbone.model == config.model.text_encoder.model == model
    assert config.model.mask_head.in_channels == channels
    assert config.model.mask_head.num_queries == 250 and dict(config.model.ensemble, type="") == dict(
        type="", alpha=0.4, beta=0.8
    )
    assert config.model.vocabulary.templates == "vild" and config.model.trained_on == "coco-fcclip-133"
    assert load_vocabulary(config.model.vocabulary.source).num_classes > 1
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    (resize,) = (step for step in config.test_pipeline if step.type == "mmdet.Resize")
    assert resize.scale[1] == (1024 if "cityscapes" in path.stem else 800)
    for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
        TRANSFORMS.build(step)
    if "8xb2" in path.stem:
        assert config.train_cfg.max_iters == 368750 and config.train_dataloader.batch_size * 8 == 16
        assert config.param_scheduler[0].milestones == [327778, 355092]
        assert config.optim_wrapper.clip_grad.max_norm == 0.01 and config.optim_wrapper.optimizer.weight_decay == 0.05
        assert config.model.data_preprocessor.batch_augments[0].size == (1024, 1024)


def test_resnets_have_the_stage_channels_of_their_open_clip_config():
    import open_clip

    for name, channels in BACKBONES.values():
        if name.startswith("RN"):
            width = open_clip.get_model_config(name)["vision_cfg"]["width"]
            assert channels == [4 * width * 2**stage for stage in range(4)]


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of two steps on base classes."""
    folder = tmp_path_factory.mktemp("fc-clip")
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=2", "param_scheduler=None"]
    config = str(TINY / "fc-clip_scenes_1xb8-300_scenes-115-96.py")
    load_tool("train").main([config, "--work-dir", str(folder), "--cfg-options", *options])
    DefaultScope.overwrite_default_scope("ovdense")
    return folder


def test_the_twin_learns_its_head_alone(trained):
    checkpoint = torch.load(trained / "iter_2.pth", weights_only=False)
    config = Config.fromfile(TINY / "fc-clip_scenes_1xb8-300_scenes-115-96.py")
    from ovdense.registry import MODELS

    fresh = MODELS.build(config.model).state_dict()
    state = checkpoint["state_dict"]
    assert sorted(state) == sorted(fresh)
    frozen = [name for name in state if name.startswith(("backbone.", "region_classifier."))]
    assert frozen and all(torch.equal(state[name], fresh[name]) for name in frozen)
    assert len(checkpoint["meta"]["vocabulary"]["classes"]) == 115
    losses = [json.loads(line) for line in next(trained.glob("*/vis_data/scalars.json")).read_text().splitlines()]
    assert any("scenes/PQ" in line for line in losses)


@pytest.mark.filterwarnings("ignore:the checkpoint was trained")
def test_the_twin_is_tested_on_base_and_novel_classes(trained, tmp_path):
    arguments = [str(trained / "iter_2.pth"), "--work-dir", str(tmp_path), "--cfg-options"]
    scenes = ["test_dataloader.dataset.num_scenes=3"]
    metrics = load_tool("test").main([str(TINY / "fc-clip_scenes_scenes-143-96.py"), *arguments, *scenes])
    assert {"scenes/PQ_base", "scenes/PQ_novel", "scenes/PQ_stuff", "coco/segm_mAP"} <= set(metrics)
    metrics = load_tool("test").main([str(TINY / "fc-clip_scenes_scenes-48-96.py"), *arguments, *scenes])
    assert {"mIoU", "mIoU_thing", "mIoU_stuff"} <= set(metrics) and 0 <= metrics["mIoU"] <= 100


def test_mmdets_inferencer_answers_with_names_that_are_set_on_it(trained, tmp_path):
    from mmdet.apis import DetInferencer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inferencer = DetInferencer(
            str(TINY / "fc-clip_scenes_generic-96.py"), str(trained / "iter_2.pth"), device="cpu", show_progress=False
        )
        inferencer.model.set_vocabulary(["dog", ["cat", "kitten"], "grass"], groups=dict(stuff=["grass"]))
        picture = np.random.default_rng(0).integers(0, 255, (70, 110, 3), dtype=np.uint8)
        out = inferencer(picture, return_datasamples=True, no_save_vis=True)
    sample = out["predictions"][0]
    assert sample.pred_sem_seg.sem_seg.shape == sample.pred_panoptic_seg.sem_seg.shape == (1, 70, 110)
    assert sample.pred_sem_seg.sem_seg.max() < 3
    assert set((sample.pred_panoptic_seg.sem_seg.unique() % 1000).tolist()) <= {0, 1, 2, 3}
    assert set(sample.pred_instances.labels.tolist()) <= {0, 1}
