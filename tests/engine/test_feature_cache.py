"""Cached features are the computed ones, whatever the batches."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from ovdense.engine import FeatureCache, FeatureCacheHook
from ovdense.structures import DenseFeatures


class Backbone(nn.Module):
    """Counts the pictures that it sees; its features are the pictures themselves."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        return DenseFeatures(dense=2 * images, maps=(images, images[..., ::2]), stride=1, extras={"k": images + 1})


def pictures(*values):
    return torch.stack([torch.full((3, 4, 6), float(value)) for value in values])


def test_same_features_computed_once():
    backbone = Backbone()
    cache = FeatureCache(backbone.forward, max_bytes=10**6)
    first = cache(pictures(1, 2))
    mixed = cache(pictures(3, 2, 1))
    assert backbone.seen == 3 and cache.hits == 2
    assert first.dense[:, 0, 0, 0].tolist() == [2, 4]
    assert mixed.dense[:, 0, 0, 0].tolist() == [6, 4, 2]
    assert mixed.maps[1].shape == (3, 3, 4, 3) and mixed.extras["k"][:, 0, 0, 0].tolist() == [4, 3, 2]
    assert mixed.global_embedding is None and mixed.stride == 1


def test_bounded_memory():
    one = 4 * (72 + 72 + 36 + 72)  # bytes of the features of one picture
    cache = FeatureCache(Backbone().forward, max_bytes=one)
    cache(pictures(1, 2))
    assert cache.bytes == one
    assert cache(pictures(2, 1)).dense[:, 0, 0, 0].tolist() == [4, 2] and cache.hits == 1


def test_hook_puts_it_in_and_takes_it_out():
    model = SimpleNamespace(backbone=Backbone())
    runner, hook = SimpleNamespace(model=model), FeatureCacheHook()
    hook.before_train(runner)
    for _ in range(3):
        model.backbone(pictures(1))
    assert model.backbone.seen == 1
    hook.after_train(runner)
    model.backbone(pictures(1))
    assert model.backbone.seen == 2


def test_hook_refuses_a_trainable_backbone():
    model = SimpleNamespace(backbone=nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match="got Conv2d with trainable"):
        FeatureCacheHook().before_train(SimpleNamespace(model=model))
