"""SAN's configs: full size as the paper states it, and the tiny twin trained, tested and asked for other names."""

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
FULL = sorted((ROOT / "configs" / "san").glob("*.py"))
TINY = ROOT / "configs" / "tiny"
# CLIP, blocks before and after, share of the size, width, channels of the text space
BACKBONES = {
    "vit-b16": ("ViT-B-16", 9, 3, 0.5, 768, 512),
    "vit-l14-336": ("ViT-L-14-336", 18, 6, 0.7, 1024, 768),
}


def name_of(path):
    return path.stem


@pytest.mark.parametrize("path", FULL, ids=name_of)
def test_full_config_is_what_its_name_says(path):
    config, model = Config.fromfile(path), Config.fromfile(path).model
    clip, before, after, share, width, channels = BACKBONES[path.stem.split("_")[1]]
    assert config.default_scope == "ovdense" and model.type == "SANSegmentor"
    assert model.clip == dict(model=clip, pretrained="openai")
    assert (model.text_encoder.model, model.text_encoder.pretrained) == (clip, "openai")
    assert (model.text_encoder.templates, model.encoder_resolution) == ("vild", share)
    assert (model.image_encoder.num_layers, model.decode_head.maskgen_cfg.num_layers) == (before, after)
    assert model.image_encoder.embed_dims == model.decode_head.san_cfg.clip_channels == width
    assert model.decode_head.maskgen_cfg.out_dims == channels
    assert load_vocabulary(model.vocabulary).num_classes > 1
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    (resize,) = (step for step in config.test_pipeline if step.type.endswith("Resize"))
    assert resize.scale[1] == 640
    with DefaultScope.overwrite_default_scope("ovdense"):
        for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
            TRANSFORMS.build(step)
    if "4xb8" in path.stem:
        assert config.train_cfg.max_iters == 60000 and config.train_dataloader.batch_size * 4 == 32
        assert config.optim_wrapper.optimizer.lr == config.optim_wrapper.optimizer.weight_decay == 1e-4
        assert config.optim_wrapper.clip_grad.max_norm == 0.01


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("backbone", BACKBONES)
def test_full_config_builds_without_memory(backbone):
    config = Config.fromfile(ROOT / "configs" / "san" / f"san_{backbone}_coco-stuff-to-ade20k-150-640.py")
    config.model.clip.pretrained = config.model.text_encoder.pretrained = None
    with DefaultScope.overwrite_default_scope("ovdense"), torch.device("meta"):
        model = MODELS.build(config.model)
    assert all(tensor.is_meta for tensor in model.state_dict().values()) and model.vocabulary.num_classes == 150
    learns = {name.split(".")[0] for name, tensor in model.named_parameters() if tensor.requires_grad}
    assert learns == {"bg_embed", "image_encoder", "decode_head"}
    clip = [name for name, _ in model.named_parameters() if name.startswith(("image_encoder", "decode_head.rec"))]
    assert [name for name in clip if model.get_parameter(name).requires_grad] == ["image_encoder.pos_embed"]


def test_readme_names_the_paper_and_every_config():
    text = (ROOT / "configs" / "san" / "README.md").read_text(encoding="utf-8")
    assert "arXiv 2302.12242" in text
    assert not [path.name for path in [*FULL, *TINY.glob("san_*.py")] if path.name not in text]


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of two steps on base classes."""
    folder = tmp_path_factory.mktemp("san")
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=2", "param_scheduler=None"]
    config = str(TINY / "san_scenes_1xb8-300_scenes-115-96.py")
    load_tool("train").main([config, "--work-dir", str(folder), "--cfg-options", *options, "randomness.seed=0"])
    return folder / "iter_2.pth"


def test_the_twin_learns_beside_a_frozen_clip(trained):
    state = torch.load(trained, weights_only=False)["state_dict"]
    with DefaultScope.overwrite_default_scope("ovdense"):
        fresh = MODELS.build(Config.fromfile(TINY / "san_scenes_1xb8-300_scenes-115-96.py").model).state_dict()
    assert sorted(state) == sorted(fresh)
    moved = {name for name, value in state.items() if not torch.equal(value, fresh[name])}
    assert {"bg_embed", "image_encoder.pos_embed", "decode_head.side_adapter_network.query_embed"} <= moved
    clip = {name for name in moved if name.startswith(("image_encoder", "decode_head.rec_with_attnbias"))}
    assert clip == {"image_encoder.pos_embed"}


@pytest.mark.filterwarnings("ignore:the checkpoint was trained")
def test_the_twin_is_tested_on_base_and_novel_classes(trained, tmp_path):
    arguments = [str(trained), "--work-dir", str(tmp_path), "--cfg-options", "test_dataloader.dataset.num_scenes=3"]
    metrics = load_tool("test").main([str(TINY / "san_scenes_scenes-143-96.py"), *arguments])
    assert {"mIoU", "mIoU_base", "mIoU_novel", "mIoU_stuff"} <= set(metrics)


def test_the_twin_takes_other_names_and_a_picture_of_any_shape(trained):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = init_model(str(TINY / "san_scenes_scenes-143-96.py"), str(trained), device="cpu")
        model.set_vocabulary([["cat", "kitten"], "sky"])
        picture = np.random.default_rng(0).integers(0, 255, (70, 96, 3), dtype=np.uint8)
        (alone,) = inference_model(model, [picture])
        together = inference_model(model, [picture, picture[::-1].copy()])
    assert alone.pred_sem_seg.data.shape == (1, 70, 96) and int(alone.pred_sem_seg.data.max()) <= 1
    assert torch.equal(alone.pred_sem_seg.data, together[0].pred_sem_seg.data)
