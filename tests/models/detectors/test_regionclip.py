"""The whole C4 detector of the shipped config at a small size: trains, proposes, agrees with itself in a batch."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from ovdense.registry import MODELS

BASE = Path(__file__).parents[3] / "configs" / "regionclip" / "_base_" / "regionclip_rn50-c4.py"
CLIP = dict(
    model=dict(
        embed_dim=16,
        vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8, head_width=64, patch_size=None),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
    ),
    pretrained=None,
)


@pytest.fixture
def detector():
    torch.manual_seed(0)
    init_default_scope("ovdense")
    config = Config.fromfile(BASE).model
    config.backbone.update(CLIP)
    config.roi_head.bbox_roi_extractor.update(CLIP)
    config.roi_head.bbox_head.in_channels = 16
    config.pop("text_encoder")
    config.class_embeddings = {name: torch.randn(16) for name in ("dog", "cat", "tie")}
    config.proposals.max_per_img = 20
    config.roi_head.bbox_head.classifier.logit_scale = 5.0
    return MODELS.build(config)


def sample(height=96, width=128):
    one = DetDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(height, width), scale_factor=(1.0, 1.0)))
    one.gt_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 10, 60, 70], [50, 20, 120, 90]]), labels=torch.tensor([0, 2])
    )
    return one


@torch.no_grad()
def test_a_batch_agrees_with_its_pictures(detector):
    detector.eval()
    images = torch.randn(2, 3, 96, 128)
    together = [one.pred_instances for one in detector.predict(images, [sample(), sample()])]
    for image, expected in zip(images, together):
        found = detector.predict(image[None], [sample()])[0].pred_instances
        assert len(found) == len(expected) > 0
        torch.testing.assert_close(found.scores, expected.scores, atol=1e-3, rtol=1e-3)  # after soft-NMS
        torch.testing.assert_close(found.bboxes, expected.bboxes, atol=1e-2, rtol=1e-3)


def test_trains_the_tail_and_leaves_the_proposal_network(detector):
    detector.train()
    losses = detector.loss(torch.randn(2, 3, 96, 128), [sample(), sample()])
    (losses["loss_cls"] + losses["loss_bbox"]).backward()
    learned = {name.split(".")[0] for name, value in detector.named_parameters() if value.grad is not None}
    assert learned == {"backbone", "roi_head"}
    assert not detector.proposals.training
    assert detector.roi_head.bbox_roi_extractor.attnpool.v_proj.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_true_boxes_are_named_as_they_stand(detector):
    detector.eval()
    detector.test_cfg.proposals = "ground_truth"
    detector.roi_head.test_cfg.update(box_delta=False, nms=None)
    found = detector.predict(torch.randn(1, 3, 96, 128), [sample()])[0].pred_instances
    assert len(found) == 6  # two boxes, three names
    assert {tuple(box) for box in found.bboxes.tolist()} == {(10, 10, 60, 70), (50, 20, 120, 90)}
