"""The configs of Alpha-CLIP are what their names say, and the twin learns through the runner."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parents[2] / "configs"


def test_the_configs_say_what_the_paper_says():
    regions = Config.fromfile(ROOT / "alpha_clip" / "alpha-clip_vit-b16_generic-448.py")
    classifier = regions.model.roi_head.classifier
    assert classifier.fill == "keep" and classifier.expand == float("inf")
    assert classifier.backbone.pretrained == regions.model.text_encoder.pretrained == regions.model.backbone.pretrained
    assert regions.test_pipeline[0].type == "LoadImageFromFile"
    training = Config.fromfile(ROOT / "alpha_clip" / "alpha-clip_vit-b16_4xb128-5e_mask-nouns-224.py")
    assert training.model.backbone.alpha and training.train_dataloader.dataset.whole
    assert training.optim_wrapper.optimizer.lr == 4e-5 and training.train_dataloader.batch_size == 128


def test_the_twin_trains_its_channel(tmp_path):
    config = Config.fromfile(ROOT / "tiny" / "alpha-clip_scenes_1xb64-200_mask-nouns-48.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict(
        {"train_dataloader.batch_size": 8, "train_cfg.max_iters": 2, "param_scheduler": None, "default_hooks": None}
    )
    runner = Runner.from_cfg(config)
    assert (runner.model.backbone.alpha_conv.weight == 0).all()
    runner.train()
    assert runner.model.backbone.alpha_conv.weight.abs().sum() > 0
    assert torch.isfinite(torch.tensor(runner.message_hub.get_scalar("train/loss").current()))
