"""Official RegionCLIP names: every one has its place, and what is missing or strange is said."""

import pytest
import torch

from ovdense.models.detectors import OfflineRPN
from ovdense.models.regionclip_checkpoint import convert_regionclip

ROOT = "backbone.layer1.0.conv1.weight"


def detectron2_rpn() -> dict[str, torch.Tensor]:
    """Names of Detectron2's ResNet-50 FPN RPN as RegionCLIP stores them, with the shapes of ours."""
    own = OfflineRPN().state_dict()
    names = {}
    for stage, blocks in zip(range(2, 6), (3, 4, 6, 3)):
        for block in range(blocks):
            for index in (1, 2, 3):
                names[f"res{stage}.{block}.conv{index}"] = (
                    f"layer{stage - 1}.{block}.conv{index}",
                    f"layer{stage - 1}.{block}.bn{index}",
                )
        names[f"res{stage}.0.shortcut"] = (f"layer{stage - 1}.0.downsample.0", f"layer{stage - 1}.0.downsample.1")
    names["stem.conv1"] = ("conv1", "bn1")
    out = {}
    for name, (conv, norm) in names.items():
        out[f"offline_backbone.bottom_up.{name}.weight"] = own[f"backbone.{conv}.weight"]
        for kind in ("weight", "bias", "running_mean", "running_var"):
            out[f"offline_backbone.bottom_up.{name}.norm.{kind}"] = own[f"backbone.{norm}.{kind}"]
    for level in range(4):
        for kind in ("weight", "bias"):
            out[f"offline_backbone.fpn_lateral{level + 2}.{kind}"] = own[f"neck.lateral_convs.{level}.conv.{kind}"]
            out[f"offline_backbone.fpn_output{level + 2}.{kind}"] = own[f"neck.fpn_convs.{level}.conv.{kind}"]
    for theirs, ours in (("conv", "rpn_conv"), ("objectness_logits", "rpn_cls"), ("anchor_deltas", "rpn_reg")):
        for kind in ("weight", "bias"):
            out[f"offline_proposal_generator.rpn_head.{theirs}.{kind}"] = own[f"rpn_head.{ours}.{kind}"]
    return out


def test_the_proposal_network_fits_and_proposes():
    found = convert_regionclip({ROOT: torch.zeros(1), **detectron2_rpn()})
    assert found.has_proposals
    state = {
        name.removeprefix("proposals."): value for name, value in found.state.items() if name.startswith("proposals.")
    }
    network = OfflineRPN(max_per_img=7, nms=0.9)
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    images = torch.randn(2, 3, 64, 96)
    found = network(images, None, [dict(img_shape=(64, 96)), dict(img_shape=(48, 64))])
    assert [len(one) for one in found] == [7, 7]
    assert found[1].bboxes[:, 2].max() <= 64 and found[1].bboxes[:, 3].max() <= 48
    assert ((found[0].scores >= 0) & (found[0].scores <= 1)).all()


def test_unknown_and_missing_names_are_said():
    with pytest.raises(ValueError, match=r"1 names are not those .* \['backbone.stage9.weight'\]"):
        convert_regionclip({ROOT: torch.zeros(1), "backbone.stage9.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="no CLIP ResNet"):
        convert_regionclip({"roi_heads.box_predictor.bbox_pred.weight": torch.zeros(4, 8)})
    background = "roi_heads.box_predictor.cls_bg_score.weight"
    with pytest.raises(ValueError, match="is not zero"):
        convert_regionclip({ROOT: torch.zeros(1), background: torch.ones(1, 8)})
    found = convert_regionclip(
        {ROOT: torch.zeros(1), background: torch.zeros(1, 8), "roi_heads.box_predictor.cls_score.weight": torch.eye(5)}
    )
    said = found.report()
    assert "training class embeddings: 5 classes x 5 channels" in said and "test class embeddings: none" in said
    assert "proposal network: NOT in the file" in said and "box regression: NOT in the file" in said
