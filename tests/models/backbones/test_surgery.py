"""The second path of a surgery ViT, for batches and any shape."""

import pytest
import torch

from ovdense.functional.attention_surgery import patch_links
from ovdense.models.backbones import CLIPViT, SurgeryCLIP


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 48, 72, generator=torch.manual_seed(0))


def test_the_ordinary_path_stays_and_the_second_is_another(images):
    model, plain = (
        SurgeryCLIP(model="scenes", captured=True),
        CLIPViT(model="scenes", attention="vanilla", with_global=True, position="bilinear"),
    )
    features, expected = model(images), plain(images)
    torch.testing.assert_close(features.global_embedding, expected.global_embedding, atol=1e-5, rtol=1e-4)
    assert features.dense.shape == expected.dense.shape and (features.dense - expected.dense).abs().max() > 1e-2
    layers, tokens = len(model.blocks()), 1 + 6 * 9
    assert features.extras["hidden"].shape[:3] == (2, layers, tokens)
    torch.testing.assert_close(features.extras["block_attention"].sum(-1), torch.ones(2, layers, tokens))
    alone = model(images[1:])
    torch.testing.assert_close(alone.dense, features.dense[1:], atol=1e-5, rtol=1e-4)


def test_learnt_features_link_patches_image_by_image(images):
    model = SurgeryCLIP(model="scenes")
    learnt = torch.randn(2, 4, 6, 9, generator=torch.manual_seed(1))
    linked = model(images, learnt=learnt)
    assert (linked.dense - model(images).dense).abs().max() > 1e-3
    alone = model(images[1:], learnt=learnt[1:])
    torch.testing.assert_close(alone.dense, linked.dense[1:], atol=1e-5, rtol=1e-4)
    links = patch_links(torch.tensor([[[[1.0, 1.0, -1.0]]]]))
    torch.testing.assert_close(links[0], torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1.0]]))


def test_the_depth_is_checked():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        SurgeryCLIP(model="scenes", depth=0)
