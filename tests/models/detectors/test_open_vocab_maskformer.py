"""The mask classifier's shell: results, vocabularies, batches, frozen parts, errors."""

import sys
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mask_heads"))
from tiny_model import head_config, tiny_model

GROUPS = dict(thing=["dog", "fox"], stuff=["grass"])


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return tiny_model(dict(source=["grass", "dog", "fox"], groups=GROUPS), trained_on=["dog"]).eval()


def picture(height=64, width=96, seed=0):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def results(net, images, metas=None):
    return net.decode(net.encode(images, metas))


def equal(one, other):
    assert torch.equal(one.pred_sem_seg.sem_seg, other.pred_sem_seg.sem_seg)
    assert torch.equal(one.pred_panoptic_seg.sem_seg, other.pred_panoptic_seg.sem_seg)
    first, second = (sample.pred_instances[sample.pred_instances.scores.argsort()] for sample in (one, other))
    assert torch.allclose(first.scores, second.scores, atol=1e-5)
    assert torch.equal(first.masks.flatten(1).sum(1), second.masks.flatten(1).sum(1))


def test_three_answers_in_one_pass(net):
    sample = results(net, picture(), [dict(img_shape=(60, 90), ori_shape=(50, 75))])[0]
    assert sample.pred_sem_seg.sem_seg.shape == sample.pred_panoptic_seg.sem_seg.shape == (1, 50, 75)
    assert sample.pred_sem_seg.data is sample.pred_sem_seg.sem_seg
    assert sample.pred_sem_seg.sem_seg.max() < 3
    found = sample.pred_instances
    assert found.masks.shape == (len(found), 50, 75) and found.masks.dtype == torch.bool
    assert set(found.labels.tolist()) <= {1, 2}  # grass is stuff
    assert {"bboxes", "scores"} <= set(found.keys())


def test_only_what_is_asked_for(net):
    net.test_cfg.update(panoptic_on=False, instance_on=False)
    try:
        sample = results(net, picture())[0]
    finally:
        net.test_cfg.update(panoptic_on=True, instance_on=True)
    assert "pred_sem_seg" in sample and "pred_panoptic_seg" not in sample and "pred_instances" not in sample


def test_a_batch_of_pictures_of_several_sizes_agrees_with_each_alone(net):
    sizes, batch = [(64, 96), (40, 70), (96, 33)], torch.zeros(3, 3, 96, 96)
    for index, (height, width) in enumerate(sizes):
        batch[index, :, :height, :width] = picture(height, width, index)[0]
    metas = [dict(img_shape=size, ori_shape=(size[0] + 5, size[1])) for size in sizes]
    together = results(net, batch, metas)
    for index, size in enumerate(sizes):
        alone = results(net, picture(*size, index), [metas[index]])[0]
        assert alone.pred_sem_seg.sem_seg.shape == (1, size[0] + 5, size[1])
        equal(together[index], alone)


def test_mirrored_pictures_are_mirrored_back(net):
    image = picture(64, 64)
    plain = results(net, image)[0]
    mirrored = results(net, image, [dict(img_shape=(64, 64), flip=True, flip_direction="horizontal")])[0]
    assert torch.equal(mirrored.pred_sem_seg.sem_seg.flip(-1), plain.pred_sem_seg.sem_seg)


def test_other_names_flags_and_synonyms_on_encoded_pictures():
    net = tiny_model(trained_on=["dog"]).eval()
    encoded = net.encode(picture())
    assert net.things().all()  # no groups: every class is countable
    net.set_vocabulary([["fox", "dog"], "sea", "tree"], groups=dict(stuff=["sea"]))
    assert net.things().tolist() == [True, False, True]
    assert net.seen().tolist() == [True, False, False]  # by its synonym
    assert net.decode(encoded)[0].pred_sem_seg.sem_seg.max() < 3
    _, probabilities = net.classify(encoded, 0)
    assert torch.allclose(probabilities.sum(-1), torch.ones(6), atol=1e-5) and probabilities.shape == (6, 4)
    net.set_vocabulary(["tree"])
    assert net.decode(encoded)[0].pred_sem_seg.sem_seg.unique().tolist() == [0]


def test_seen_classes_come_from_the_checkpoint_unless_the_config_names_them():
    vocabulary = dict(classes=["fox"])
    net = tiny_model(("dog", "fox"))
    assert net.seen().tolist() == [True, True]
    with pytest.warns(UserWarning, match="1 are new to it"):
        net.check_trained_vocabulary(dict(vocabulary=vocabulary))
    assert net.seen().tolist() == [False, True]
    stated = tiny_model(("dog", "fox"), trained_on=["dog"])
    with pytest.warns(UserWarning, match="1 are new to it"):
        stated.check_trained_vocabulary(dict(vocabulary=vocabulary))
    assert stated.seen().tolist() == [True, False]


def test_alpha_and_beta_choose_the_classifier(net):
    encoded = net.encode(picture())
    proposals = encoded.proposals[0]
    learned = net.mask_head.classify(proposals.embeddings).softmax(-1)
    ensemble = net.ensemble
    try:
        ensemble.alpha, ensemble.beta = 0.0, 0.0
        assert torch.allclose(net.classify(encoded, 0)[1], learned[0], atol=1e-5)
        ensemble.alpha, ensemble.beta = 1.0, 1.0
        frozen = net.region_logits(proposals.regions).softmax(-1) * (1 - learned[..., 3:])
        assert torch.allclose(net.classify(encoded, 0)[1][:, :3], frozen[0], atol=1e-5)
    finally:
        ensemble.alpha, ensemble.beta = 0.4, 0.8


def test_given_masks_are_named_by_the_frozen_clip(net):
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    masks[0, :32], masks[1, 32:, 48:] = True, True
    found = net.name_masks(picture(), [masks])[0]
    features = net.extract_feat(picture())
    mean = features.dense[0, :, :4].flatten(1).mean(1)  # the upper half of an 8-pixel grid
    expected = net.region_logits(mean[None, None]).softmax(-1)[0, 0]
    assert found.shape == (2, 3) and torch.allclose(found[0], expected, atol=1e-4)
    with pytest.raises(ValueError, match="with a region_classifier"):
        tiny_model(region_classifier=None, ensemble=None).name_masks(picture(), [masks])


def test_only_the_head_learns_and_the_backbone_stays_in_evaluation_mode():
    net = tiny_model(dict(source=["grass", "dog"], groups=dict(stuff=["grass"]))).train()
    assert not any(module.training for module in net.backbone.modules())
    sample = DetDataSample(metainfo=dict(img_shape=(64, 96), batch_input_shape=(64, 96)))
    sample.gt_instances = InstanceData(labels=torch.tensor([1]), masks=torch.zeros(1, 64, 96, dtype=torch.bool))
    sample.gt_instances.masks[0, 10:30, 10:40] = True
    sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, 64, 96, dtype=torch.long))
    losses = net.loss(picture(), [sample])
    sum(losses.values()).backward()
    learned = {name.split(".")[0] for name, value in net.named_parameters() if value.grad is not None}
    assert learned == {"mask_head", "neck"}
    assert all(not value.requires_grad for value in net.backbone.parameters())


def test_errors_say_what_came():
    with pytest.raises(ValueError, match="region_classifier and ensemble go together"):
        tiny_model(ensemble=None)
    with pytest.raises(ValueError, match=r"object_mask_thr.*got \['score_thr'\]"):
        tiny_model(test_cfg=dict(score_thr=0.1))
    with pytest.raises(ValueError, match="has a single scale: give the model neck"):
        tiny_model(neck=None, head=head_config(in_channels=(384,) * 4)).encode(picture())
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\), got \(3, 64, 96\)"):
        tiny_model().encode(picture()[0])
    with pytest.raises(ValueError, match="1 images but 2 metainfos"):
        tiny_model().encode(picture(), [{}, {}])
