"""The configs of ExCEL read, are what their names say, and build without weights."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import MODELS

ROOT = Path(__file__).resolve().parents[2] / "configs"
TRAINED = sorted((ROOT / "excel").glob("excel_*.py"))


@pytest.mark.filterwarnings("ignore:no pretrained weights")
@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_trainings_say_what_the_paper_says(path):
    config = Config.fromfile(path)
    model = config.model
    assert len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    assert config.default_scope == "ovdense" and config.test_pipeline[0].type == "LoadImageFromFile"
    vocabulary = load_vocabulary(**model.vocabulary)
    assert vocabulary.num_classes == model.decode_head.num_classes and vocabulary.background_index == 0
    assert config.train_cfg.max_iters == (30000 if "30k" in path.stem else 80000)
    assert config.train_dataloader.batch_size == 4 and config.optim_wrapper.optimizer.lr == 1e-4
    steps = [step.type for step in config.train_dataloader.dataset.pipeline]
    assert steps.index("ImageTags") < steps.index("mmseg.RandomCrop")
    for tower in (model.backbone, model.text_encoder):
        tower.pretrained = None
    with DefaultScope.overwrite_default_scope("ovdense"):
        built = MODELS.build(model)
    assert built.backbone.depth == 5 and len(built.decode_head.project) == 12


def test_seeds_need_no_training():
    config = Config.fromfile(ROOT / "excel" / "excel-seeds_vit-b16_generic-448.py")
    assert config.model.decode_head.type == "SurgeryHead" and config.model.type == "AttributeSegmentor"
