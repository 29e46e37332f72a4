"""CLIPSeg's configs: full size as the paper states it, and the tiny twin trained, tested and asked by the demo."""

import importlib.util
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.datasets.scenes import demo_scene
from ovdense.registry import MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
FULL = sorted((ROOT / "configs" / "clipseg").glob("*.py"))
TINY = ROOT / "configs" / "tiny"


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_full_config_is_what_its_name_says(path):
    config = Config.fromfile(path)
    head, backbone = config.model.decode_head, config.model.backbone
    assert backbone.model == config.model.text_encoder.model == "ViT-B-16" and backbone.pretrained == "openai"
    assert backbone.out_indices == (3, 7, 9) and head.width == (16 if "rd16" in path.stem else 64)
    assert bool(head.get("refined")) == ("refined" in path.stem)
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    for step in [*config.test_pipeline, *config.get("train_pipeline", [])]:
        TRANSFORMS.build(step)
    if "1xb64" in path.stem:
        assert config.train_cfg.max_iters == (50000 if "refined" in path.stem else 20000)
        assert config.train_dataloader.batch_size == 64 and config.param_scheduler[0].eta_min == 1e-4
    config.model.backbone.pretrained = None
    with torch.device("meta"):  # shapes without memory
        model = MODELS.build(config.model)
    learns = sum(value.numel() for value in model.parameters() if value.requires_grad)
    if path.stem == "clipseg-rd64_vit-b16_generic-352":
        assert learns == 1122305 - 64 * 768  # the paper counts weights that are never used


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint of two steps."""
    folder = tmp_path_factory.mktemp("clipseg")
    options = ["train_cfg.max_iters=2", "train_cfg.val_interval=2", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=2", "val_dataloader.dataset.num_scenes=4", "param_scheduler=None"]
    config = str(TINY / "clipseg_scenes_1xb16-1k_scenes-48-96.py")
    load(ROOT / "tools" / "train.py").main([config, "--work-dir", str(folder), "--cfg-options", *options])
    DefaultScope.overwrite_default_scope("ovdense")
    return folder / "iter_2.pth"


def test_the_checkpoint_holds_the_decoder_alone(trained):
    state = torch.load(trained, weights_only=False)["state_dict"]
    assert state and all(name.startswith("decode_head.") for name in state)


def test_the_twin_is_tested_by_phrases_and_by_names(trained, tmp_path):
    test = load(ROOT / "tools" / "test.py")
    arguments = [str(trained), "--work-dir", str(tmp_path), "--cfg-options", "test_dataloader.dataset.num_scenes=4"]
    metrics = test.main([str(TINY / "clipseg_scenes_1xb16-1k_scenes-48-96.py"), *arguments])
    assert 0 <= metrics["phrases/mIoU_0.5"] <= 100 and "phrases/AP" in metrics
    metrics = test.main([str(TINY / "clipseg_scenes_scenes-48-96.py"), *arguments])
    assert 0 <= metrics["mIoU"] <= 100


def test_the_demo_writes_a_mask(trained, tmp_path, capsys):
    drawn = demo_scene()
    photo, out = tmp_path / "photo.png", tmp_path / "mask.png"
    cv2.imwrite(str(photo), drawn.image[..., ::-1])
    common = [str(photo), "--config", str(TINY / "clipseg_scenes_generic-96.py"), "--checkpoint", str(trained)]
    demo = load(ROOT / "demo" / "clipseg_mask.py")
    demo.main([*common, "--phrase", drawn.names[0], "--out", str(out), "--threshold", "0.3"])
    mask = cv2.imread(str(out), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == drawn.image.shape[:2] and set(mask.flatten().tolist()) <= {0, 255}
    demo.main([*common, "--prompt-image", str(photo), "--prompt-mask", str(out), "--out", str(out)])
    assert "highest probability" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        demo.main(common)
