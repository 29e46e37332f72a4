"""MaskTunedMaskFormer: what learns, from which masks, and that nothing else moves."""

import pytest
import torch
from mask_models import TRAIN_CFG, clip_config, embeddings, head_config, images, samples
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from ovdense.models.detectors import MaskTunedMaskFormer

ADAPTER = dict(type="MaskAdapterPooling", clip_dim=20, threshold=0.5, adapter=dict(width=16, num_maps=3, num_blocks=1))


def build(**options):
    torch.manual_seed(5)
    options = {
        "backbone": dict(type="CLIPConvNeXt", model=clip_config()),
        "region_classifier": ADAPTER,
        "ensemble": dict(type="SeenUnseenEnsemble"),
        **options,
    }
    with DefaultScope.overwrite_default_scope("ovdense"):
        model = MaskTunedMaskFormer(
            mask_head=head_config(),
            class_embeddings=embeddings(),
            train_cfg=TRAIN_CFG,
            **options,
        )
        model.mask_head.init_weights()
        return model.train()


def train(model, *sizes):
    pictures = torch.stack(images(*sizes))
    losses = model.loss(pictures, [samples(size) for size in sizes])
    sum(losses.values()).backward()
    return losses


def moved(model):
    return {name for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_true_masks_alone_teach_the_adapter_alone():
    model = build(num_matched=0)
    losses = train(model, (64, 96), (64, 96))
    assert set(losses) == {"loss_region_cls"} and losses["loss_region_cls"] > 0
    assert moved(model) and all(name.startswith("region_classifier.adapter.") for name in moved(model))
    assert not model.mask_head.training


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_proposals_that_cover_a_mask_join_in(monkeypatch):
    model = build(iou_thr=0.9, num_matched=2)
    logits = torch.full((1, 12, 16, 24), -5.0)
    logits[0, 3, :8], logits[0, 7, 8:], logits[0, 9, :, :12] = 5.0, 5.0, 5.0
    monkeypatch.setattr(model, "_proposals", lambda features, pictures: logits)
    seen = []
    embed = model.region_classifier.embed_binary

    def watch(features, masks, backbone):
        seen.append(masks[0])
        return embed(features, masks, backbone)

    monkeypatch.setattr(model.region_classifier, "embed_binary", watch)
    losses = train(model, (64, 96))
    assert set(losses) == {"loss_region_cls", "loss_consistency"}
    (masks,) = seen  # zebra above, grass below, and the proposals of both
    assert masks.shape == (4, 64, 96)
    for true, proposal in ((0, 2), (1, 3)):
        assert (masks[true] - masks[proposal]).abs().mean() < 0.05
    assert all(name.startswith("region_classifier.adapter.") for name in moved(model))


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_pictures_without_masks_and_large_ones_are_no_matter():
    model = build(num_matched=2, num_true=1)
    empty = samples((64, 96))
    empty.gt_instances = InstanceData(labels=torch.zeros(0, dtype=torch.long), masks=torch.zeros(0, 64, 96))
    empty.gt_sem_seg.sem_seg[:] = 255
    pictures = torch.stack(images((64, 96)))
    losses = model.loss(pictures, [empty])
    assert all(float(value) == 0 for value in losses.values())
    sum(losses.values()).backward()
    target = model.mask_head.preprocess_gt([samples((64, 96)).gt_instances], [samples((64, 96)).gt_sem_seg])[0]
    assert len(target.labels) == 2 and len(model._masks_of_step(target, None, (96, 128))[0]) == 1
    assert model._masks_of_step(target, None, (96, 128))[0].shape[1:] == (96, 128)


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_the_image_tower_is_tuned_and_held_by_its_frozen_copy():
    backbone = dict(type="CLIPConvNeXt", model=clip_config(), frozen=False)
    options = dict(backbone=backbone, region_classifier=dict(type="CLIPMaskPooling"), num_matched=0, anchor_weight=1.0)
    model = build(tuned=(r"backbone\.visual\.trunk\.stages\.3",), **options)
    model._teacher._backbone = build(
        **{**options, "backbone": {**backbone, "frozen": True}}, tuned=("mask_head",)
    ).backbone
    model._teacher._backbone.load_state_dict(model.backbone.state_dict())
    losses = train(model, (64, 96))
    assert set(losses) == {"loss_region_cls", "loss_anchor"}
    assert float(losses["loss_anchor"]) == pytest.approx(0, abs=1e-5)  # nothing has moved yet
    assert moved(model) and all(name.startswith("backbone.visual.trunk.stages.3") for name in moved(model))
    with torch.no_grad():
        for parameter in model.backbone.visual.trunk.stages[3].parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    assert train(model, (64, 96))["loss_anchor"] > 1e-3


@pytest.mark.filterwarnings("ignore:no pretrained weights")
def test_what_cannot_learn_is_refused():
    with pytest.raises(ValueError, match=r"in a frozen backbone: set backbone\.frozen=False"):
        build(tuned=(r"backbone\.visual",))
    with pytest.raises(ValueError, match="no parameter's name begins with"):
        build(tuned=("nothing",))
    with pytest.raises(ValueError, match="a region_classifier that pools"):
        build(region_classifier=None, ensemble=None)
