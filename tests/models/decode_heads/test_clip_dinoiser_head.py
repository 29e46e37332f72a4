"""CLIP-DINOiser: the losses by hand, what the teachers give, the background by objectness, batches."""

import math

import pytest
import torch
import torch.nn.functional as F

from ovdense.models.decode_heads import CLIPDINOiserHead
from ovdense.models.decode_heads.clip_dinoiser_head import dinoiser_losses, mark_background
from ovdense.models.teachers import correspondences
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


def test_losses_take_cosines_cut_at_zero_for_logits():
    cosine, belongs = torch.tensor([[[1.0, -0.5]]]), torch.tensor([[[True, False]]])
    objects, logits = torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 1, 1, 1)
    losses = dinoiser_losses(cosine, logits, belongs, objects)
    assert float(losses["loss_objectness"]) == pytest.approx(math.log(2))
    assert float(losses["loss_correspondence"]) == pytest.approx((math.log1p(math.exp(-1)) + math.log(2)) / 2)
    sharp = dinoiser_losses(cosine, logits, belongs, objects, sharpness=4.0)["loss_correspondence"]
    assert float(sharp) == pytest.approx((math.log1p(math.exp(-2)) + math.log1p(math.exp(-4))) / 2)


def test_a_teacher_of_a_finer_grid_is_averaged_first():
    maps = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).T[None, :, None].repeat_interleave(2, 3).repeat_interleave(2, 2)
    belongs = correspondences(DenseFeatures(dense=None, maps=(maps,)), (1, 2), feature="maps", threshold=0.5)
    assert belongs.tolist() == [[[True, False], [False, True]]]


def test_only_the_unsure_patches_of_its_own_picture_become_background():
    probability, background = torch.full((2, 3, 1, 2), 0.25), torch.tensor([[[True, False]], [[False, False]]])
    marked = mark_background(probability, background, row=1)
    assert marked[0, 1].tolist() == [[1.0, 0.25]] and marked[1].eq(0.25).all() and marked[0, [0, 2]].eq(0.25).all()


def build(**head):
    companion = dict(type="DINOBackbone", model="scenes_dino", capture=("k", "attention"))
    teachers = dict(
        correspondence_teacher=dict(backbone=companion, feature="maps", threshold=0.65),
        objectness_teacher=dict(
            backbone=companion, head=dict(type="FOUNDHead", in_channels=128, source="discovery", seed="most")
        ),
    )
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="CLIPBackbone", model="scenes", attention="value", capture=("mlp_input",), frozen=True),
            decode_head=dict(type="CLIPDINOiserHead", in_channels=128, proj_channels=8, **{**teachers, **head}),
        )
    )


def test_training_needs_pictures_alone_and_checkpoints_hold_both_convolutions_alone():
    model = build()
    losses = model.loss(torch.randn(2, 3, 48, 64), [])
    sum(losses.values()).backward()
    assert set(losses) == {"decode.loss_correspondence", "decode.loss_objectness"}
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.decode_head.parameters())
    names = ("bkg_decoder.bias", "bkg_decoder.weight", "obj_proj.bias", "obj_proj.weight")
    assert sorted(model.state_dict()) == [f"decode_head.{name}" for name in names]
    with pytest.raises(ValueError, match="got none"):
        build(correspondence_teacher=None).loss(torch.randn(1, 3, 48, 48), [])


@pytest.mark.parametrize("apply_found", [False, True])
def test_a_batch_gives_what_its_pictures_give(apply_found):
    model = build(apply_found=apply_found).eval()
    images, rows = torch.randn(2, 3, 48, 72), F.normalize(torch.randn(5, 384), dim=1)
    with torch.no_grad():
        whole = model.decode_head(model.backbone(images), rows)
        alone = torch.cat([model.decode_head(model.backbone(image[None]), rows) for image in images])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def test_the_embedded_head_fits_its_config_alone():
    CLIPDINOiserHead(in_channels=128, proj_channels=32, kernel_size=7, pretrained="scenes_dinoiser")
    with pytest.raises(ValueError, match=r"scenes_dinoiser for CLIPDINOiserHead does not fit: .*obj_proj\.weight"):
        CLIPDINOiserHead(in_channels=128, proj_channels=32, pretrained="scenes_dinoiser")
