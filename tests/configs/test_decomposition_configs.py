"""The configs of the decomposition build without weights; the twin reaches its figure."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2] / "configs"
FULL = sorted((ROOT / "decomposition").glob("*.py"))


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("path", FULL, ids=lambda path: path.stem)
def test_full_configs_build_their_backbone(path):
    config = Config.fromfile(path)
    assert config.default_scope == "ovdense" and config.test_pipeline[1].scale[1] == 224
    assert config.model.text_encoder.model == config.model.backbone.model
    if "l14" not in path.stem:
        with DefaultScope.overwrite_default_scope("ovdense"):
            assert MODELS.build({**config.model.backbone, "pretrained": None}).last_layers == 12


def test_the_twin_reaches_its_figure(tmp_path):
    """43.1 over 120 scenes, 87.6 mean average precision of the heat."""
    config = Config.fromfile(ROOT / "tiny" / "decomposition_scenes_scenes-48-96.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict({"test_dataloader.dataset.num_scenes": 24, "val_dataloader.dataset.num_scenes": 24})
    metrics = Runner.from_cfg(config).test()
    assert metrics["mIoU"] > 30 and metrics["foreground_mAP"] > 80
