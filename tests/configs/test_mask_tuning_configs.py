"""Configs of Mask-Adapter and of tuning on true masks: full size as stated, and the tiny twins trained and tested."""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("mask_adapter", "maskclip_pp")
FULL = sorted(path for method in METHODS for path in (ROOT / "configs" / method).glob("*.py"))
TINY = ROOT / "configs" / "tiny"
STAGES = {
    "mask-adapter_scenes_true-masks": ("mask-adapter", "region_classifier.adapter."),
    "mask-adapter_scenes_mixed": ("mask-adapter", "region_classifier.adapter."),
    "maskclip-pp_scenes": ("maskclip-pp", "backbone.visual.transformer."),
}


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_config_is_what_its_name_says(path):
    config, model = Config.fromfile(path), Config.fromfile(path).model
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    assert model.type == "MaskTunedMaskFormer" and model.backbone.model == "convnext_large_d_320"
    assert load_vocabulary(model.vocabulary.source).num_classes > 1 and model.trained_on == "coco-fcclip-133"
    with DefaultScope.overwrite_default_scope("ovdense"):
        for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
            TRANSFORMS.build(step)
    if path.stem.startswith("maskclip-pp"):
        assert not model.backbone.frozen and model.num_matched == 0 and model.anchor_weight > 0
        return
    assert (model.ensemble.alpha, model.ensemble.beta) == (0.7, 0.9)
    assert model.region_classifier.threshold == 0.5 and model.backbone.get("frozen", True)
    if "8xb3" in path.stem:
        assert config.train_cfg.max_iters == 49286 and config.param_scheduler[0].milestones == [43371, 47314]
        assert config.train_dataloader.batch_size == 3 and config.optim_wrapper.optimizer.lr == 1e-4
        assert model.num_matched == (8 if "mixed" in path.stem else 0)


@pytest.mark.parametrize("method", METHODS)
def test_readme_names_the_paper_and_every_config(method):
    text = (ROOT / "configs" / method / "README.md").read_text(encoding="utf-8")
    assert "arXiv" in text
    for path in (ROOT / "configs" / method).glob("*.py"):
        assert path.name in text
    for stage, (name, _) in STAGES.items():
        if name.replace("-", "_") == method:
            assert f"{stage}_1xb8-100_scenes-115-96.py" in text


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:the checkpoint was trained")
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_moves_its_part_alone_and_is_tested(stage, tmp_path):
    name, part = STAGES[stage]
    config = TINY / f"{stage}_1xb8-100_scenes-115-96.py"
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=2", "param_scheduler=None"]
    load_tool("train").main([str(config), "--work-dir", str(tmp_path), "--cfg-options", *options, "model.iou_thr=0.0"])
    state = torch.load(tmp_path / "iter_2.pth", weights_only=False)["state_dict"]
    with DefaultScope.overwrite_default_scope("ovdense"):
        fresh = MODELS.build(Config.fromfile(config).model).state_dict()
    assert sorted(state) == sorted(fresh)  # no frozen copy in it
    kept = [key for key in state if key.startswith("backbone.") and not key.startswith(part)]
    assert kept and all(torch.equal(state[key], fresh[key]) for key in kept)
    assert part.startswith("region") or any(not torch.equal(state[k], fresh[k]) for k in state if k.startswith(part))
    arguments = [str(tmp_path / "iter_2.pth"), "--work-dir", str(tmp_path), "--cfg-options"]
    metrics = load_tool("test").main(
        [str(TINY / f"{name}_scenes_scenes-143-96.py"), *arguments, "test_dataloader.dataset.num_scenes=2"]
    )
    assert {"scenes/PQ_base", "scenes/PQ_novel"} <= set(metrics)
