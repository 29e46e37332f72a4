"""Full-size configs of F-ViT and RegionCLIP build without weights, at the widths of their CLIPs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from ovdense.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FVIT = sorted((CONFIGS / "fvit").glob("*.py"))
REGIONCLIP = [path for path in sorted((CONFIGS / "regionclip").glob("*.py")) if "pretrain" not in path.stem]


def built(path: Path):
    """The detector on the meta device, with no file read."""
    config = Config.fromfile(path)
    model = config.model
    model.text_encoder = model.class_embeddings = model.vocabulary = None
    model.backbone.pretrained = None
    if model.roi_head.bbox_roi_extractor.type == "ovdense.CLIPResNetTail":
        model.roi_head.bbox_roi_extractor.pretrained = None
    with torch.device("meta"):
        return MODELS.build(model), config


def follows_the_rules(path: Path, config: Config) -> bool:
    return bool(config.test_pipeline) and len(path.stem) <= 70 and len(path.read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", FVIT, ids=lambda path: path.stem)
def test_full_size_fvit_builds(path):
    model, config = built(path)
    width, embed_dim = (1024, 768) if "vit-l14" in path.stem else (768, 512)
    assert model.backbone.embed_dim == embed_dim and model.roi_head.bbox_head.classifier.embed_dim == embed_dim
    assert not any(parameter.requires_grad for parameter in model.backbone.parameters())
    assert config.model.neck.channels == width and len(config.model.backbone.out_indices) == 4
    assert model.roi_head.with_mask == ("lvis" in path.stem)
    assert follows_the_rules(path, config)


@pytest.mark.parametrize("path", REGIONCLIP, ids=lambda path: path.stem)
def test_full_size_regionclip_builds(path):
    model, config = built(path)
    embed_dim = 640 if "rn50x4" in path.stem else 1024
    assert model.roi_head.bbox_head.classifier.embed_dim == embed_dim
    assert (model.proposals is None) == ("true-boxes" in path.stem)
    assert config.model.test_cfg.rcnn.get("box_delta", True) == (
        "zero-shot" not in path.stem and "true-boxes" not in path.stem
    )
    assert follows_the_rules(path, config)
