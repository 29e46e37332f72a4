"""DenseFeatures: sizes, slicing and moving."""

import pytest
import torch

from ovdense.structures import DenseFeatures


@pytest.fixture
def features():
    return DenseFeatures(
        dense=torch.arange(24.0).reshape(2, 2, 2, 3),
        global_embedding=torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        maps=(torch.zeros(2, 1, 4, 6), torch.ones(2, 1, 2, 3)),
        stride=16,
        image_size=(30, 48),
        padding=(0, 0, 0, 2),
        extras={"k": torch.zeros(2, 5, 2, 3), "attention": torch.zeros(2, 1, 7, 7)},
    )


def test_grid_and_length(features):
    assert features.grid == (2, 3) and len(features) == 2
    no_text = DenseFeatures(dense=None, maps=features.maps)
    assert no_text.grid == (2, 3) and len(no_text) == 2


@pytest.mark.parametrize(("index", "first"), [(0, 0.0), (1, 12.0), (-1, 12.0)])
def test_one_image_keeps_its_batch_dimension(features, index, first):
    one = features[index]
    assert len(one) == 1 and one.dense.shape == (1, 2, 2, 3) and one.dense[0, 0, 0, 0] == first
    assert one.global_embedding.shape == (1, 2) and one.maps[0].shape == (1, 1, 4, 6)
    assert one.extras["attention"].shape == (1, 1, 7, 7)
    assert (one.stride, one.image_size, one.padding) == (16, (30, 48), (0, 0, 0, 2))


def test_slices(features):
    assert len(features[:1]) == 1 and len(features[0:2]) == 2


def test_apply_reaches_every_tensor(features):
    half = features.apply(lambda tensor: tensor.half())
    tensors = [half.dense, half.global_embedding, *half.maps, *half.extras.values()]
    assert all(tensor.dtype == torch.float16 for tensor in tensors)
    assert features.dense.dtype == torch.float32
    assert DenseFeatures(dense=None, maps=features.maps).apply(lambda tensor: tensor + 1).dense is None
