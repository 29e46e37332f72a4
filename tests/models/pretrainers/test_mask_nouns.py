"""Adapting a CLIP to masks: the loss, what learns, and tools/train.py on drawn scenes."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ovdense.models.losses.mask_nouns import pair_contrast
from ovdense.registry import MODELS

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny"


def test_the_loss_by_hand():
    logits = torch.zeros(2, 2)
    torch.testing.assert_close(pair_contrast(logits, torch.eye(2).bool()), torch.tensor(math.log(2)))
    torch.testing.assert_close(pair_contrast(logits, torch.ones(2, 2).bool()), torch.tensor(math.log(2)))
    logits = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]])
    expected = (math.log(4 / 3) + math.log(2)) / 2  # rows and columns alike
    torch.testing.assert_close(pair_contrast(logits, torch.eye(2).bool()), torch.tensor(expected))


def build(name, **options):
    config = Config.fromfile(TINY / f"{name}.py").model
    config.update(options)
    with DefaultScope.overwrite_default_scope("ovdense"):
        return MODELS.build(config)


def test_only_prompts_learn_where_that_is_asked():
    model = build("ovseg-prompts_scenes_1xb64-100_mask-nouns-48")
    assert [name for name, value in model.named_parameters() if value.requires_grad] == ["backbone.mask_embedding"]
    crops, masks = torch.randn(3, 3, 48, 48), torch.zeros(3, 1, 48, 48)
    masks[..., :24, :] = 1
    model.train()
    losses = model(crops, masks=masks, noun=["cat", "dog", "cat"], mode="loss")
    losses["loss_pairs"].backward()
    assert model.backbone.mask_embedding.grad.abs().sum() > 0 and not model.backbone.training
    with pytest.raises(ValueError, match="mask_prompt_depth"):
        build("ovseg-prompts_scenes_1xb64-100_mask-nouns-48", backbone=dict(mask_prompt_depth=0))


def test_equal_nouns_are_no_contradiction():
    model = build("ovseg-clip_scenes_1xb64-200_mask-nouns-48")
    crops = torch.randn(1, 3, 48, 48).expand(2, -1, -1, -1)
    same = model(crops, noun=["cat", "cat"], mode="loss")
    assert float(same["acc_nouns"]) == 100
    torch.testing.assert_close(same["loss_pairs"].detach(), torch.tensor(math.log(2)), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="2 crops and 1 nouns"):
        model(crops, noun=["cat"], mode="loss")


@pytest.mark.parametrize(
    "name", ["ovseg-clip_scenes_1xb64-200_mask-nouns-48", "ovseg-prompts_scenes_1xb64-100_mask-nouns-48"]
)
def test_training_goes_through_the_runner_and_resumes(name, tmp_path):
    config = Config.fromfile(TINY / f"{name}.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict(
        {
            "train_dataloader.batch_size": 16,
            "train_cfg.max_iters": 3,
            "default_hooks.checkpoint.interval": 2,
            "default_hooks.logger.interval": 1,
            "param_scheduler": None,
        }
    )
    runner = Runner.from_cfg(config)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    changed = {key for key, value in runner.model.state_dict().items() if not torch.equal(value, before[key])}
    if "prompts" in name:
        assert changed == {"backbone.mask_embedding"}
    else:
        assert "backbone.visual.conv1.weight" in changed and "logit_scale" in changed
    config.merge_from_dict({"resume": True, "load_from": str(tmp_path / "iter_2.pth"), "train_cfg.max_iters": 4})
    config.experiment_name = f"{name}-resumed"
    resumed = Runner.from_cfg(config)
    resumed.train()
    assert resumed.iter == 4
