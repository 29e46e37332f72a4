"""The configs of zero-guidance segmentation are what their names say; the twin answers through the test loop."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from ovdense.models.segmentors.zero_guidance import word_list
from ovdense.models.vocabulary_files import load_vocabulary

ROOT = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("path", sorted((ROOT / "zero_guidance").glob("*.py")), ids=lambda path: path.stem)
def test_full_configs_say_what_the_paper_says(path):
    config = Config.fromfile(path)
    model = config.model
    assert config.default_scope == "ovdense" and model.first_block == 20 and model.spread == 5.0
    assert model.segments.leaves == 20 and model.merge_threshold == 0.8
    assert model.backbone.model == model.text_encoder.model == "ViT-L-14-336-quickgelu"
    assert config.test_pipeline[1].scale == (336, 336) and len(word_list(model.words)) > 1000
    if "generic" not in path.stem:
        assert load_vocabulary(model.answer).num_classes == (59 if "context" in path.stem else 20)
        assert config.test_dataloader.dataset.pipeline == config.test_pipeline


def test_the_twin_is_scored(tmp_path):
    config = Config.fromfile(ROOT / "tiny" / "zero-guidance_scenes_scenes-48-96.py")
    config.work_dir = str(tmp_path)
    config.merge_from_dict({"test_dataloader.dataset.num_scenes": 4, "val_dataloader.dataset.num_scenes": 4})
    assert Runner.from_cfg(config).test()["mIoU"] > 4  # chance is below 1
