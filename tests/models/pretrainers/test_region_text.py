"""Region-text pretraining on the tiny CLIP: what it learns from and that it starts at its teacher."""

import pytest
import torch
from mmdet.structures import DetDataSample

from ovdense.models.pretrainers import RegionTextPretrainer


def pretrainer(**options):
    torch.manual_seed(0)
    options = (
        dict(
            backbone=dict(type="CLIPBackbone", model="scenes", frozen=False),
            roi_extractor=dict(
                type="SingleRoIExtractor",
                roi_layer=dict(type="RoIAlign", output_size=2, sampling_ratio=0),
                out_channels=384,
                featmap_strides=[8],
            ),
            proposals=dict(type="GivenProposals", boxes=[[0, 0, 40, 40], [30, 10, 90, 60], [0, 50, 60, 96]]),
            text_encoder=dict(type="CLIPTextEncoder", model="scenes"),
            concepts="dog, cat, grass, apple",
            max_regions=2,
            threshold=0.0,
        )
        | options
    )
    return RegionTextPretrainer(**options)


def sample(**meta):
    return DetDataSample(metainfo=dict(img_shape=(96, 96), ori_shape=(96, 96), **meta))


def test_the_student_starts_at_its_teacher_and_learns():
    model = pretrainer().train()
    images = torch.randn(2, 3, 96, 96)
    losses = model(images, [sample(caption="a dog"), sample(caption="an apple on grass")], mode="loss")
    assert losses["kept"] == 1 and abs(losses["loss_distill"].item()) < 1e-3
    assert losses["loss_caption"] > 0
    (losses["loss_contrast"] + losses["loss_caption"]).backward()
    assert any(value.grad.abs().sum() > 0 for value in model.backbone.parameters() if value.grad is not None)
    assert not any("teacher" in name for name in model.state_dict())


def test_no_captions_and_an_unsure_teacher():
    model = pretrainer(threshold=1.1).train()
    losses = model(torch.randn(1, 3, 96, 96), [sample()], mode="loss")
    assert set(losses) == {"loss_distill", "loss_contrast", "kept"}
    assert losses["kept"] == 0 and losses["loss_distill"] == 0 and losses["loss_contrast"] == 0
    with pytest.raises(ValueError, match="nothing to learn"):
        pretrainer(backbone=dict(type="CLIPBackbone", model="scenes", frozen=True))
