"""The text classifier of mask heads: targets, losses for any vocabulary, gradients, both of mmdet's decoders."""

import sys
from pathlib import Path

import pytest
import torch
from mmdet.models.dense_heads import MaskFormerHead
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from torch import nn

from ovdense.models.mask_heads import FCCLIPHead, TextClassifierMixin
from ovdense.models.mask_heads.base import panoptic_targets
from ovdense.structures import ClassEmbeddings, Vocabulary

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model import TRAIN_CFG, head_config

SIZE = (64, 96)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("ovdense")
    torch.manual_seed(0)


def classes(count=3, synonyms=2, channels=8):
    names = tuple(f"class {index}" for index in range(count))
    phrases = tuple(tuple(f"{name} {number}" for number in range(synonyms)) for name in names)
    rows = nn.functional.normalize(torch.randn(count * synonyms, channels), dim=1)
    index = torch.arange(count).repeat_interleave(synonyms)
    return ClassEmbeddings(rows, index, Vocabulary(names, phrases), space="")


def head(**more):
    config = head_config(embed_dim=8, train_cfg=TRAIN_CFG, **more)
    return FCCLIPHead(**{key: value for key, value in config.items() if key != "type"})


def maps(batch=2):
    return [torch.randn(batch, 16, SIZE[0] // stride, SIZE[1] // stride) for stride in (4, 8, 16, 32)]


def sample(labels, semantic=None, masks=True):
    result = DetDataSample(metainfo=dict(img_shape=SIZE, batch_input_shape=SIZE))
    instances = InstanceData(labels=torch.tensor(labels, dtype=torch.long))
    if masks:
        pixels = torch.zeros(len(labels), *SIZE, dtype=torch.uint8)
        for index in range(len(labels)):
            pixels[index, 8 * index : 8 * index + 20, 10:60] = 1
        instances.masks = BitmapMasks(pixels.numpy(), *SIZE)
    result.gt_instances = instances
    if semantic is not None:
        result.gt_sem_seg = PixelData(sem_seg=semantic[None])
    return result


def test_logits_follow_the_vocabulary_without_a_new_head():
    net, x = head(), maps()
    for count in (1, 3, 900):
        net.set_classes(classes(count), torch.ones(count, dtype=torch.bool))
        logits, masks = net(x, [])
        assert [tuple(layer.shape) for layer in logits] == [(2, 6, count + 1)] * 3
        assert [tuple(layer.shape) for layer in masks] == [(2, 6, 16, 24)] * 3
    proposals = net.propose(x, [])
    assert torch.equal(net.classify(proposals.embeddings), logits[-1])
    with pytest.raises(RuntimeError, match="call set_classes"):
        head()(x, [])
    with pytest.raises(ValueError, match="8 channels, got class embeddings with 5"):
        net.set_classes(classes(channels=5), torch.ones(3, dtype=torch.bool))


def test_mmdets_losses_learn_the_head_and_the_void_embedding():
    net = head()
    things = torch.tensor([False, True, False])  # stuff first
    net.set_classes(classes(), things)
    semantic = torch.full(SIZE, 255)
    semantic[40:] = 2
    semantic[:8] = 1  # pixels of a thing in the semantic map are not a stuff segment
    losses = net.loss(maps(), [sample([1, 1], semantic), sample([], torch.zeros(SIZE, dtype=torch.long))])
    assert sorted(losses) == sorted(f"{d}loss_{k}" for d in ("", "d0.", "d1.") for k in ("cls", "mask", "dice"))
    sum(losses.values()).backward()
    without = [name for name, value in net.named_parameters() if value.grad is None]
    assert not without
    assert net.void_embedding.weight.grad.abs().sum() > 0 and net.logit_scale.grad.abs() > 0


def test_the_classification_loss_is_the_official_weighted_mean():
    net = head(void_weight=0.1)
    net.set_classes(classes(), torch.ones(3, dtype=torch.bool))
    logits, targets = torch.randn(5, 4), torch.tensor([0, 3, 2, 3, 3])
    weights = torch.tensor([1.0, 1.0, 1.0, 0.1])
    ours = net.loss_cls(logits, targets, torch.ones(5), avg_factor=weights[targets].sum())
    assert torch.allclose(ours, 2 * nn.functional.cross_entropy(logits, targets, weight=weights))


def test_targets_by_hand():
    semantic = torch.tensor([[0, 0, 1], [2, 2, 255]])
    things = torch.tensor([False, True, False])
    instances = InstanceData(labels=torch.tensor([1]), masks=torch.tensor([[[0, 0, 1], [0, 0, 0]]]))
    found = panoptic_targets(instances, semantic, things)
    assert found.labels.tolist() == [1, 0, 2]
    assert found.masks.tolist() == [[[0, 0, 1], [0, 0, 0]], [[1, 1, 0], [0, 0, 0]], [[0, 0, 0], [1, 1, 0]]]
    none = InstanceData(labels=torch.zeros(0, dtype=torch.long))
    assert panoptic_targets(none, semantic, things).labels.tolist() == [0, 1, 2]  # semantic labels alone
    assert panoptic_targets(instances, None, things).labels.tolist() == [1]
    with pytest.raises(ValueError, match="got neither"):
        panoptic_targets(none, None, things)
    with pytest.raises(ValueError, match=r"has 3 classes but the picture has the labels \[7\]"):
        panoptic_targets(InstanceData(labels=torch.tensor([7])), semantic, things)


def test_labels_above_255_are_classes_of_a_large_vocabulary():
    semantic = torch.tensor([[255, 300], [846, 65535]])
    none = InstanceData(labels=torch.zeros(0, dtype=torch.long))
    assert panoptic_targets(none, semantic, torch.zeros(847, dtype=torch.bool)).labels.tolist() == [255, 300, 846]


def test_the_scale_is_learned_below_100_or_given():
    net = head()
    assert net.scale.item() == pytest.approx(1 / 0.07)
    net.logit_scale.data.fill_(9.0)
    assert net.scale.item() == 100.0
    assert head(logit_scale=50).scale == 50.0
    with pytest.raises(ValueError, match=r"above 0 or 'learned', got 'clip'"):
        head(logit_scale="clip")


class PerceptronMaskFormer(TextClassifierMixin, MaskFormerHead):
    """MaskFormer with the shared classifier, as a method would write it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.cls_embed = nn.Linear(16, self.embed_dim)


def test_maskformers_decoder_takes_the_same_classifier():
    attention = dict(embed_dims=16, num_heads=2, dropout=0.0, batch_first=True)
    layer = dict(
        self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=dict(embed_dims=16, feedforward_channels=32)
    )
    net = PerceptronMaskFormer(
        embed_dim=8,
        logit_scale=100.0,
        void_std=0.1,
        in_channels=[16] * 4,
        feat_channels=16,
        out_channels=16,
        num_queries=5,
        pixel_decoder=dict(type="mmdet.PixelDecoder", norm_cfg=dict(type="GN", num_groups=4)),
        positional_encoding=dict(num_feats=8, normalize=True),
        transformer_decoder=dict(return_intermediate=True, num_layers=2, layer_cfg=layer),
        loss_cls=dict(type="mmdet.CrossEntropyLoss"),
        loss_mask=dict(type="mmdet.FocalLoss", use_sigmoid=True, loss_weight=20.0),
        loss_dice=dict(type="mmdet.DiceLoss", use_sigmoid=True, activate=True, naive_dice=True),
        train_cfg=ConfigDict(
            assigner=dict(
                type="mmdet.HungarianAssigner",
                match_costs=[
                    dict(type="mmdet.ClassificationCost", weight=1.0),
                    dict(type="mmdet.FocalLossCost", weight=20.0, binary_input=True),
                    dict(type="mmdet.DiceCost", weight=1.0, pred_act=True, eps=1.0),
                ],
            ),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    )
    net.set_classes(classes(4), torch.ones(4, dtype=torch.bool))
    samples = [sample([1, 3]), sample([0])]
    logits, masks = net(maps(), samples)
    assert [tuple(layer.shape) for layer in logits] == [(2, 5, 5)] * 2 and masks.shape == (2, 2, 5, 16, 24)
    losses = net.loss(maps(), samples)
    sum(losses.values()).backward()
    assert net.void_embedding.weight.grad.abs().sum() > 0
