"""The two halves of CLIP's ResNet: together the whole, and the tail's order of work changes nothing."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import roi_align
from torch import nn

from ovdense.models.backbones import CLIPResNetC4, CLIPResNetTail

MODEL = dict(
    embed_dim=16,
    vision_cfg=dict(image_size=64, layers=[1, 1, 2, 2], width=8, head_width=64, patch_size=None),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)


@pytest.fixture(scope="module")
def halves():
    torch.manual_seed(0)
    backbone, tail = CLIPResNetC4(model=MODEL), CLIPResNetTail(model=MODEL)
    for norm in tail.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.weight.data.uniform_(0.5, 1.5)
            norm.bias.data.normal_()
            norm.running_mean.normal_()
    return backbone.eval(), tail.eval()


ROIS = torch.tensor([[0.0, 3, 5, 90, 60], [1, -20, 0, 128, 96], [0, 40, 40, 47, 95], [1, 0, 0, 30, 30]])


@torch.no_grad()
def test_the_tail_is_roi_align_layer4_and_the_full_attention_pool(halves):
    backbone, tail = halves
    features = backbone(torch.randn(2, 3, 96, 128)).maps
    assert tail.output_size == 4 and features[0].shape == (2, 128, 6, 8)
    expected = tail.attnpool(tail.layer4(roi_align(features[0], ROIS, 4, 1 / 16, 0, "avg", True)))
    for early in ("always", "never", "auto"):
        tail.early_projection = early
        torch.testing.assert_close(tail(features, ROIS), expected, atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(tail(features, ROIS[[1]]), expected[[1]], atol=2e-5, rtol=1e-4)
    assert tail(features, ROIS[:0]).shape == (0, 16)


def test_gradients_do_not_depend_on_the_order_of_work(halves):
    backbone, tail = halves
    features = backbone(torch.randn(2, 3, 64, 96)).maps[0].detach().requires_grad_()
    found = []
    for early in ("always", "never"):
        tail.early_projection = early
        loss = tail((features,), ROIS).square().sum()
        found.append(torch.autograd.grad(loss, [features, tail.layer4[0].conv1.weight, tail.attnpool.k_proj.weight]))
    for first, second in zip(*found):
        torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)


def test_what_learns(halves):
    backbone = CLIPResNetC4(model=MODEL, frozen_stages=2).train()
    learned = {name.split(".")[1] for name, value in backbone.named_parameters() if value.requires_grad}
    assert learned == {"layer2", "layer3"}
    assert not any(norm.training for norm in backbone.modules() if isinstance(norm, nn.BatchNorm2d))
    assert not any(value.requires_grad for value in CLIPResNetTail(model=MODEL, frozen=True).parameters())
    with pytest.raises(ValueError, match="early_projection must be"):
        CLIPResNetTail(model=MODEL, early_projection="now")


@torch.no_grad()
def test_a_batch_of_other_sizes_agrees_with_its_pictures(halves):
    backbone, _ = halves
    images = torch.randn(2, 3, 75, 130)
    torch.testing.assert_close(backbone(images).maps[0][1:], backbone(images[1:]).maps[0], atol=1e-5, rtol=1e-4)
    assert F.normalize(backbone(images).maps[0], dim=1).isfinite().all()
