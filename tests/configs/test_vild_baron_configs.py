"""Full-size configs of ViLD and BARON build without weights; their recipes are those of the repositories."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from ovdense.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PATHS = sorted([*(CONFIGS / "vild").glob("*.py"), *(CONFIGS / "baron").glob("*.py")])


def built(path: Path):
    """The detector on the meta device, with no file read: CLIPs are ViT-B/32 of random weights."""
    config = Config.fromfile(path)
    model = config.model
    model.backbone.init_cfg = None
    clip = dict(model="ViT-B-32", pretrained=None)
    model.text_encoder = model.class_embeddings = model.vocabulary = None
    teacher = model.teacher.get("backbone", model.teacher)
    teacher.update(clip)
    if "text" in model.roi_head.bbox_head.classifier:
        model.roi_head.bbox_head.classifier.text = clip
    with torch.device("meta"):
        return MODELS.build(model), config


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_full_size_detectors_build(path):
    model, config = built(path)
    assert model.backbone.layer4[2].conv3.weight.shape == (2048, 512, 1, 1)
    assert model.roi_head.bbox_head.classifier.embed_dim == 512
    assert not any(name.startswith("teacher.") for name in model.state_dict())
    assert config.test_pipeline and len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40
    assert config.train_cfg.max_iters == 90000
    if path.parent.name == "baron":
        assert model.distiller.position[2].weight.shape == (6 * 512, 512)
        assert model.roi_head.bbox_head.fc_reg[2].weight.shape == (4, 1024)
        assert model.rpn_head.rpn_cls[0].weight.shape == (256, 256, 3, 3)
    else:
        assert hasattr(model.roi_head.bbox_head, "second_branch") == ("ensemble" in path.stem)
        assert model.roi_head.with_mask == ("lvis" in path.stem)
