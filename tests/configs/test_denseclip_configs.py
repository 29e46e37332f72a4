"""DenseCLIP's configs: full size as the paper states it, and the tiny twin trained and tested."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.denseclip_checkpoint import convert_denseclip
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
FULL = sorted((ROOT / "configs" / "denseclip").glob("*.py"))
TINY = ROOT / "configs" / "tiny" / "denseclip_scenes_1xb8-200_scenes-48-96.py"
pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    side = int(path.stem.rsplit("-", 1)[1])
    assert config.test_cfg.type == "TestLoop" and tuple(config.model.data_preprocessor.size) == (side, side)
    assert config.train_dataloader.batch_size * 8 == 32 and config.train_cfg.max_iters == 80000
    assert config.optim_wrapper.optimizer.lr == 1e-4 and config.param_scheduler[1].begin == 1500
    assert config.model.neck.in_channels[config.model.score_index] % 256 == 150
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    for step in [*config.test_pipeline, *config.train_pipeline]:
        TRANSFORMS.build(step)


def small():
    return MODELS.build(Config.fromfile(TINY).model)


def test_an_official_checkpoint_is_renamed_and_what_does_not_fit_is_told():
    model = small()
    official = {}
    for name, value in model.state_dict().items():
        for ours, theirs in (
            ("backbone.visual.", "backbone."),
            ("prompts.text.tower.", "text_encoder."),
            ("prompts.text.words", "contexts"),
            ("prompts.", ""),
        ):
            if name.startswith(ours):
                name = theirs + name.removeprefix(ours)
                break
        official[name] = value
    converted = convert_denseclip(official, model)
    assert sorted(converted.state) == sorted(model.state_dict())
    del official["gamma"]
    with pytest.raises(ValueError, match=r"1 missing: prompts\.gamma"):
        convert_denseclip(official, model)


@torch.no_grad()
def test_pictures_of_any_size_are_labelled():
    model = small().eval()
    logits = model.encode_decode(torch.randn(2, 3, 70, 100), [{}, {}])
    assert logits.shape == (2, 48, 70, 100)
    with pytest.raises(ValueError, match="multiples of 32"):
        model.loss(torch.randn(1, 3, 70, 96), [])


def test_a_backbone_without_text_space_needs_a_pool():
    config = Config.fromfile(TINY).model
    trunk = dict(type="mmdet.ResNet", depth=18, base_channels=8, num_stages=4)
    config.backbone = dict(type="StageBackbone", trunk=trunk)
    config.neck.in_channels = [8, 16, 32, 64 + 48]
    with pytest.raises(ValueError, match=r"pool=dict"):
        MODELS.build(config).extract_feat(torch.randn(1, 3, 64, 64))
    config.pool = dict(in_channels=64, heads=4, table=2)
    assert len(MODELS.build(config).extract_feat(torch.randn(1, 3, 64, 64))) == 4


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_twin_trains_and_is_tested(tmp_path):
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=4", "param_scheduler=None"]
    load_tool("train").main([str(TINY), "--work-dir", str(tmp_path), "--cfg-options", *options])
    DefaultScope.overwrite_default_scope("ovdense")
    arguments = [str(tmp_path / "iter_2.pth"), "--work-dir", str(tmp_path / "test"), "--cfg-options"]
    metrics = load_tool("test").main([str(TINY), *arguments, "test_dataloader.dataset.num_scenes=4"])
    assert 0 <= metrics["mIoU"] <= 100
