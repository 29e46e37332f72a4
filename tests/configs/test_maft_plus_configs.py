"""Configs of MAFT+ and PMP-style guidance: full size as stated, and the tiny twins trained and tested."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.apis import PanopticSegmenter, Segmenter
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
FULL = sorted(path for method in ("maftp", "pmp") for path in (ROOT / "configs" / method).glob("*.py"))
TINY = ROOT / "configs" / "tiny"
BACKBONES = {
    "convnext-l": ("convnext_large_d_320", [192, 384, 768, 1536], 55000),
    "convnext-b": ("convnext_base_w_320", [128, 256, 512, 1024], 60000),
}


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_config_is_what_its_name_says(path):
    config, model = Config.fromfile(path), Config.fromfile(path).model
    method, backbone, *_ = path.stem.split("_")
    clip, channels, iterations = BACKBONES[backbone]
    assert model.backbone.model == model.text_encoder.model == clip and model.mask_head.in_channels == channels
    assert load_vocabulary(model.vocabulary.source).num_classes > 1 and model.vocabulary.templates == "vild"
    assert model.trained_on in path.stem
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
        with DefaultScope.overwrite_default_scope("ovdense"):
            TRANSFORMS.build(step)
    if method == "pmp":
        assert model.type == "OpenVocabMaskFormer" and model.mask_head.type == "PromptGuidedFCCLIPHead"
        return
    assert model.type == "MAFTPlus" and model.ensemble is None and model.mask_head.num_queries == 100
    assert model.transfer.mode == ("panoptic" if "panoptic" in path.stem.split("_") else "semantic")
    assert (model.test_cfg.object_mask_thr, model.test_cfg.iou_thr, model.compensation_weight) == (0.2, 0.7, 0.1)
    if "8xb1" in path.stem:
        optimizer = config.optim_wrapper
        assert config.train_cfg.max_iters == config.param_scheduler[0].end == iterations
        assert config.train_dataloader.batch_size == 1 and optimizer.optimizer.lr == 1e-4
        assert optimizer.optimizer.weight_decay == 2e-5 and optimizer.clip_grad.max_norm == 0.01
        assert optimizer.paramwise_cfg.custom_keys.backbone.lr_mult == 0.1


@pytest.mark.parametrize("method", ["maftp", "pmp"])
def test_readme_names_the_paper_and_every_config(method):
    text = (ROOT / "configs" / method / "README.md").read_text(encoding="utf-8")
    assert "arXiv" in text
    for path in (ROOT / "configs" / method).glob("*.py"):
        assert path.name in text
    assert method != "pmp" or "PMP-style: our reading of the abstract" in text


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["maft-plus", "pmp", "pmp-ovseg"])
def trained(request, tmp_path_factory):
    """The method and a checkpoint of two steps on base classes."""
    folder = tmp_path_factory.mktemp(request.param)
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += [
        "train_dataloader.batch_size=2",
        "val_dataloader.dataset.num_scenes=2",
        "param_scheduler=None",
        "randomness.seed=0",
    ]
    config = str(TINY / f"{request.param}_scenes_1xb8-300_scenes-115-96.py")
    load_tool("train").main([config, "--work-dir", str(folder), "--cfg-options", *options])
    return request.param, folder / "iter_2.pth"


def test_what_the_twin_learns(trained):
    method, checkpoint = trained
    state = torch.load(checkpoint, weights_only=False)["state_dict"]
    config = Config.fromfile(TINY / f"{method}_scenes_1xb8-300_scenes-115-96.py")
    with DefaultScope.overwrite_default_scope("ovdense"):
        fresh = MODELS.build(config.model).state_dict()
    assert sorted(state) == sorted(fresh)  # no teacher in it
    moved = {name for name in state if name.startswith("backbone.") and not torch.equal(state[name], fresh[name])}
    if method.startswith("pmp"):
        gates = [value for name, value in state.items() if name.endswith("prompt.gate")]
        assert len(gates) == 3 and all(gate != 0 for gate in gates) and not moved
    else:
        assert moved and all(name.startswith("backbone.visual.transformer.") for name in moved)
        assert not torch.equal(state["transfer.mlp.weight"], fresh["transfer.mlp.weight"])


@pytest.mark.filterwarnings("ignore:the checkpoint was trained")
def test_the_twin_is_tested_on_base_and_novel_classes(trained, tmp_path):
    method, checkpoint = trained
    arguments = [str(checkpoint), "--work-dir", str(tmp_path), "--cfg-options", "test_dataloader.dataset.num_scenes=3"]
    metrics = load_tool("test").main([str(TINY / f"{method}_scenes_scenes-143-96.py"), *arguments])
    assert {"scenes/PQ_base", "scenes/PQ_novel", "scenes/PQ_stuff"} <= set(metrics)
    nothing_found = metrics["scenes/RQ"] == 0  # after so few steps no mask may have a pixel: then there is no AP
    assert method.startswith("pmp") or nothing_found or "coco/segm_mAP" in metrics


def test_the_twin_takes_other_names_and_a_picture_of_any_shape(trained):
    method, checkpoint = trained
    config = str(TINY / f"{method}_scenes_scenes-143-96.py")
    picture = np.random.default_rng(0).integers(0, 255, (70, 96, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        segmenter = PanopticSegmenter.from_config(config, str(checkpoint), device="cpu")
        result = segmenter.set_vocabulary(things="cat, settee", stuff="sky").set_image(picture).predict()
        labels = Segmenter.from_config(config, str(checkpoint), device="cpu")(picture, ["cat"]).labels
    assert result.size == labels.shape == (70, 96) and labels.max() == 0
    assert {one["label"] for one in result.segments} <= {0, 1, 2}
