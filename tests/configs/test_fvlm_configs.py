"""F-VLM at full size builds without weights; its regions go through the attention pool of its frozen CLIP ResNet."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from ovdense.registry import MODELS

PATHS = sorted((Path(__file__).resolve().parents[2] / "configs" / "fvlm").glob("*.py"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_regions_are_pooled_by_attention(path):
    model = Config.fromfile(path).model
    model.backbone.pretrained = model.text_encoder = model.vocabulary = None
    torch.manual_seed(0)
    detector = MODELS.build(model).eval()
    assert not any(parameter.requires_grad for parameter in detector.backbone.parameters())
    with torch.no_grad():
        vlm_map = torch.randn(1, 2048, 5, 7)
        whole = torch.tensor([[0.0, 0, 0, 7 * detector.roi_head.stride, 5 * detector.roi_head.stride]])
        found = detector.roi_head.vlm_regions(vlm_map, torch.cat([whole, whole]))
    assert detector.roi_head.vlm["region"] == "attention_pool" and detector.roi_head.stride == 32
    assert found.shape == (2, 1024) and torch.equal(found[0], found[1]) and found.abs().max() > 0
    assert detector.roi_head.with_mask == ("lvis" in path.stem)
    weights = detector.roi_head.vlm["base_weight"], detector.roi_head.vlm["novel_weight"]
    assert weights == ((0.35, 0.65) if "lvis" in path.stem else (0.2, 0.45))
