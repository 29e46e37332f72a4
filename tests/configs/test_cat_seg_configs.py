"""CAT-Seg's configs: full size as the paper states it, and the tiny twin trained, tested and asked for other names."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.apis import inference_model, init_model

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
FULL = sorted((ROOT / "configs" / "cat_seg").glob("*.py"))
TINY = ROOT / "configs" / "tiny"
# CLIP, guidance after these blocks, pixels that a window is read at, width, channels of the text space
BACKBONES = {
    "vit-b16": ("ViT-B-16", (3, 7), 384, 768, 512),
    "vit-l14-336": ("ViT-L-14-336", (7, 15), 336, 1024, 768),
}


def name_of(path):
    return path.stem


@pytest.mark.parametrize("path", FULL, ids=name_of)
def test_full_config_is_what_its_name_says(path):
    config, model = Config.fromfile(path), Config.fromfile(path).model
    clip, blocks, side, width, channels = BACKBONES[path.stem.split("_")[1]]
    assert config.default_scope == "ovdense" and model.type == "CATSegmentor"
    assert model.backbone.model == model.text_encoder.model == clip
    assert model.backbone.pretrained == model.text_encoder.pretrained == "openai"
    assert (tuple(model.backbone.out_indices), model.backbone.attention) == (blocks, "value+cls")
    assert tuple(model.input_size) == (side, side) and side // (16 if "b16" in path.stem else 14) == 24
    assert (model.decode_head.map_channels, model.decode_head.text_dim) == (width, channels)
    # The published protocol: windows of 384 with a third of overlap on 640 x 640, and a view of the whole.
    assert tuple(model.canvas) == (640, 640) and model.whole_view
    assert (model.test_cfg.mode, model.test_cfg.crop_size, model.test_cfg.stride) == ("slide", 384, int(384 * 0.667))
    assert model.text_encoder.templates == ["A photo of a {} in the scene"]
    assert load_vocabulary(model.vocabulary).num_classes > 1
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    (resize,) = (step for step in config.test_pipeline if step.type.endswith("Resize"))
    assert resize.scale[1] == 640
    with DefaultScope.overwrite_default_scope("ovdense"):
        for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
            TRANSFORMS.build(step)
    if "1xb4" in path.stem:
        assert config.train_cfg.max_iters == 80000 and config.train_dataloader.batch_size == 4
        assert config.optim_wrapper.optimizer.lr == 2e-4 and config.optim_wrapper.clip_grad.max_norm == 0.01
        keys = config.optim_wrapper.paramwise_cfg.custom_keys
        assert keys.backbone.lr_mult == keys.text_tower.lr_mult == 0.01


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("backbone", BACKBONES)
def test_full_config_builds_without_memory(backbone):
    config = Config.fromfile(ROOT / "configs" / "cat_seg" / f"cat-seg_{backbone}_1xb4-80k_coco-stuff-384.py")
    config.model.backbone.pretrained = config.model.text_encoder.pretrained = None
    with DefaultScope.overwrite_default_scope("ovdense"), torch.device("meta"):
        model = MODELS.build(config.model)
    assert model.num_classes == 171 and model.text_learns
    learns = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    for tower in ("backbone.", "text_tower."):
        ends = {name.rsplit(".", 1)[-1] for name in learns if name.startswith(tower)}
        assert ends == {"q_proj_weight", "v_proj_weight", "positional_embedding"}


def test_readme_names_the_paper_and_every_config():
    text = (ROOT / "configs" / "cat_seg" / "README.md").read_text(encoding="utf-8")
    assert "arXiv 2303.11797" in text
    assert not [path.name for path in [*FULL, *TINY.glob("cat-seg_*.py")] if path.name not in text]


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of two steps on base classes."""
    folder = tmp_path_factory.mktemp("cat-seg")
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=2", "param_scheduler=None"]
    config = str(TINY / "cat-seg_scenes_1xb4-200_scenes-48-96.py")
    load_tool("train").main([config, "--work-dir", str(folder), "--cfg-options", *options, "randomness.seed=0"])
    return folder / "iter_2.pth"


def test_the_twin_learns_projections_and_its_head(trained):
    state = torch.load(trained, weights_only=False)["state_dict"]
    with DefaultScope.overwrite_default_scope("ovdense"):
        fresh = MODELS.build(Config.fromfile(TINY / "cat-seg_scenes_1xb4-200_scenes-48-96.py").model).state_dict()
    assert sorted(state) == sorted(fresh)
    moved = {name for name, value in state.items() if not torch.equal(value, fresh[name])}
    ends = {name.rsplit(".", 1)[-1] for name in moved if name.startswith("backbone.")}
    assert ends == {"q_proj_weight", "v_proj_weight", "positional_embedding"}
    assert {"decode_head.aggregator.head.weight", "decode_head.upsample.0.weight"} <= moved


@pytest.mark.filterwarnings("ignore:the checkpoint was trained")
def test_the_twin_is_tested_on_novel_classes(trained, tmp_path):
    arguments = [str(trained), "--work-dir", str(tmp_path), "--cfg-options", "test_dataloader.dataset.num_scenes=3"]
    metrics = load_tool("test").main([str(TINY / "cat-seg_scenes_scenes-44-96.py"), *arguments])
    assert {"mIoU", "mIoU_thing", "mIoU_stuff"} <= set(metrics)


def test_the_twin_takes_other_names_and_a_picture_of_any_shape(trained):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = init_model(str(TINY / "cat-seg_scenes_scenes-44-96.py"), str(trained), device="cpu")
        model.set_vocabulary([["cat", "kitten"], "sky"])
        picture = np.random.default_rng(0).integers(0, 255, (70, 96, 3), dtype=np.uint8)
        (alone,) = inference_model(model, [picture])
        together = inference_model(model, [picture, picture[::-1].copy()])
        model.set_vocabulary(["cat"])
        assert int(inference_model(model, picture).pred_sem_seg.data.max()) == 0
    assert alone.pred_sem_seg.data.shape == (1, 70, 96) and int(alone.pred_sem_seg.data.max()) <= 1
    assert torch.equal(alone.pred_sem_seg.data, together[0].pred_sem_seg.data)
