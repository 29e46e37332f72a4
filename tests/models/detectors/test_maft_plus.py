"""MAFT+ as a whole, in the sizes of the official FC-CLIP fixture, whose head and backbone it shares."""

import pytest
import torch
import torch.nn.functional as F
from mask_models import TRAIN_CFG, clip_config, embeddings, head_config, images, samples
from mmengine.registry import DefaultScope

from ovdense.models.detectors import MAFTPlus
from ovdense.models.mask_checkpoints import MAFT_PLUS_RULES, TEXT_KEYS, convert_checkpoint


def build(frozen=True, **options):
    torch.manual_seed(5)
    with DefaultScope.overwrite_default_scope("ovdense"):
        options = dict(transfer=dict(num_heads=4), train_cfg=TRAIN_CFG) | options
        model = MAFTPlus(
            backbone=dict(type="CLIPConvNeXt", model=clip_config(), frozen=frozen),
            mask_head=head_config(),
            class_embeddings=embeddings(),
            **options,
        )
        model.mask_head.init_weights()
        return model


@pytest.fixture(scope="module")
def model():
    return build().eval()


def test_it_names_masks_by_content_dependent_text_alone(model):
    """By hand, as the official code does: the classes' softmax of CLIP with new text, void by the head."""
    (image,) = images((64, 96))
    encoded = model.encode(image[None])
    proposals, probabilities = model.classify(encoded, 0)
    features, classes = encoded.features[0], model.class_embeddings
    rows = model.transfer(features.dense, classes.rows)[0]
    pooled = F.normalize(proposals.regions[0], dim=-1)
    phrases = model.region_classifier.scale * pooled @ rows.T
    logits = torch.stack([phrases[:, :2].amax(1), phrases[:, 2], phrases[:, 3]], dim=1)
    void = model.mask_head.classify(proposals.embeddings)[0].softmax(-1)[:, 3:]
    expected = torch.cat([logits.softmax(-1) * (1 - void), void], dim=1)
    torch.testing.assert_close(probabilities, expected, atol=1e-5, rtol=1e-4)
    assert (rows.norm(dim=1) - 1).abs().max() > 0.5  # they are not made unit length again


def test_a_batch_of_other_sizes_gives_the_same(model):
    pictures = images((64, 96), (96, 70))
    single = [model.decode(model.encode(one[None]))[0] for one in pictures]
    batch = torch.stack([F.pad(one, (0, 96 - one.shape[2], 0, 96 - one.shape[1])) for one in pictures])
    metas = [dict(img_shape=tuple(one.shape[-2:]), ori_shape=tuple(one.shape[-2:])) for one in pictures]
    for alone, together in zip(single, model.decode(model.encode(batch, metas))):
        assert torch.equal(alone.pred_sem_seg.data, together.pred_sem_seg.data)
        assert torch.equal(alone.pred_panoptic_seg.sem_seg, together.pred_panoptic_seg.sem_seg)
        torch.testing.assert_close(alone.pred_instances.scores, together.pred_instances.scores)


def test_training_moves_the_trunk_but_neither_its_last_norm_nor_the_projection():
    model = build(frozen=False).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    teacher = build(frozen=False).backbone.state_dict()
    model._teacher.backbone_config = dict(model._teacher.backbone_config, pretrained=dict(teacher))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    batch, truth = torch.stack(images((64, 96), (64, 96))), [samples((64, 96)), samples((64, 96))]
    for step in range(2):
        losses = model.loss(batch, truth)
        assert {"loss_ranking", "loss_compensation", "loss_cls", "loss_mask", "loss_dice"} <= set(losses)
        if step == 0:
            assert losses["loss_compensation"] == 0  # the student still is its teacher
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if "loss" in name).backward()
        if step == 0:
            stem = model.backbone.visual.trunk.stem[0].weight
            gradient = stem.grad.clone()
            stem.grad = None
            losses = model.loss(batch, truth)
            losses["loss_ranking"].backward()
            # the head's losses stop at the features: the names of masks are all that moves the trunk
            torch.testing.assert_close(stem.grad, gradient, atol=1e-4, rtol=1e-3)
        optimizer.step()
    assert losses["loss_compensation"] > 0
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert "backbone.visual.trunk.stem.0.weight" in moved and "transfer.mlp.weight" in moved
    assert not any(".head." in name and name.startswith("backbone.") for name in moved)
    assert not any("teacher" in name for name in model.state_dict())


def test_the_frozen_model_learns_without_a_teacher():
    model = build(frozen=True).train()
    losses = model.loss(torch.stack(images((64, 96))), [samples((64, 96))])
    assert "loss_compensation" not in losses and not any(p.requires_grad for p in model.backbone.parameters())
    assert losses["loss_ranking"].requires_grad


def test_official_checkpoints_import_without_the_teacher(model):
    """The official names of every tensor, made from ours by the inverse of the rules on MAFT+'s own parts."""
    official = {}
    for name, value in model.state_dict().items():
        if name.startswith("transfer."):
            part, _, rest = name.removeprefix("transfer.").partition(".")
            part = {"attention": "multihead_attn", "mlp": "MLP"}.get(part, part)
            official[f"cdt.cross_atten.{part}.{rest}"] = value
        elif name.startswith("backbone.visual."):
            official[f"backbone.clip_model.{name.removeprefix('backbone.')}"] = value
            official[f"backbone_t.clip_model.{name.removeprefix('backbone.')}"] = value + 1
    from ovdense.models.mask_checkpoints import rename

    ours, report = rename(official, MAFT_PLUS_RULES)
    expected = {k: v for k, v in model.state_dict().items() if k.startswith(("transfer.", "backbone."))}
    assert set(ours) == set(expected) and all(torch.equal(ours[name], expected[name]) for name in ours)
    left_out = [line for line in report if not line.ours]
    assert len(left_out) == sum(name.startswith("backbone.visual.") for name in expected)
    assert {line.note for line in left_out} == {"the frozen teacher, which only training needs"}
    stock = {key.removeprefix("backbone."): value + 2 for key, value in expected.items()}
    stock |= dict.fromkeys(TEXT_KEYS, torch.zeros(1))
    del official["backbone.clip_model.visual.trunk.stem.0.weight"]
    with pytest.raises(ValueError, match=r"missing: .*backbone\.visual\.trunk\.stem\.0\.weight"):
        convert_checkpoint(official, model, MAFT_PLUS_RULES, clip=stock, fill_visual=False)


def test_errors():
    with pytest.raises(ValueError, match="leave ensemble"):
        build(ensemble=dict(type="SeenUnseenEnsemble"))
    with pytest.raises(ValueError, match="no parameter of CLIPConvNeXt begins with"):
        build(frozen=False, tuned=("visual.transformer",))
