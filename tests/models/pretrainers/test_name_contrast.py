"""Losses against hand-worked values, and a tower that learns names without being told where things are."""

import math

import pytest
import torch
from mmengine.config import Config

from ovdense.models.losses.name_losses import assign_patches, assigned_contrast, name_contrast, pool_by_name
from ovdense.models.pretrainers.name_contrast import picture_names, tile_pictures
from ovdense.registry import MODELS


def test_true_words_do_not_compete_with_each_other():
    """Words 0 and 1 are true: each stands against words 2 and 3 alone."""
    logits = torch.tensor([[2.0, 1.0, 0.0, 0.0]])
    first = math.log(1 + 2 / math.exp(2))
    second = math.log(1 + 2 / math.exp(1))
    plain = name_contrast(logits, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))
    assert plain.item() == pytest.approx((first + second) / 2, abs=1e-6)
    weighted = name_contrast(logits, torch.tensor([[1.0, 0.5, 0.0, 0.0]]))
    assert weighted.item() == pytest.approx((first + 0.5 * second) / 1.5, abs=1e-6)


def test_pooling_looks_where_a_word_fits_best():
    """Two patches with cosines 1 and 0: weights of sharpness ln 3 are 3/4 and 1/4."""
    cosines = torch.tensor([[[1.0], [0.0]]])
    assert pool_by_name(cosines, math.log(3)).item() == pytest.approx(0.75, abs=1e-6)
    assert pool_by_name(cosines, 0.0).item() == pytest.approx(0.5, abs=1e-6)


def test_every_name_gets_patches():
    """A name that loses on every patch still keeps the patch where it loses least."""
    logits = torch.tensor([[[5.0, 4.0], [5.0, 0.0], [5.0, 0.0]]])
    assigned = assign_patches(logits, torch.tensor([[True, True]]))
    assert assigned.sum(2).allclose(torch.ones(1, 3))
    assert assigned.argmax(2).tolist() == [[1, 0, 0]]
    # name 0 shares itself out as 1/3 each; name 1 as e^4 / (e^4 + 2) to the first patch
    share = math.exp(4) / (math.exp(4) + 2)
    assert assigned[0, 0, 1].item() == pytest.approx(share / (share + 1 / 3), abs=1e-6)


def test_padding_takes_no_part():
    logits = torch.randn(2, 5, 7)
    truth = torch.zeros(2, 7)
    truth[0, 1] = truth[1, 2] = truth[1, 4] = 1
    names, valid = picture_names(truth)
    assert valid.tolist() == [[True, False], [True, True]]
    assert names[0, 0] == 1 and sorted(names[1].tolist()) == [2, 4]
    alone = assigned_contrast(logits[:1], truth[:1], names[:1, :1], valid[:1, :1])
    other = assigned_contrast(logits[1:], truth[1:], names[1:], valid[1:])
    both = assigned_contrast(logits, truth, names, valid)
    torch.testing.assert_close(both, (alone + other) / 2)
    # with one true word the loss of a patch is the plain cross-entropy against the words that are not true
    expected = torch.nn.functional.cross_entropy(logits[0], torch.ones(5, dtype=torch.long))
    torch.testing.assert_close(alone, expected)


def tiny_model(**options):
    config = Config.fromfile("configs/_base_/models/name_contrast.py").model
    config.update(vision=dict(image_size=16, patch_size=8, width=32, layers=2, heads=2, mlp_ratio=2.0, output_dim=384))
    config.update(vocabulary=["dog", "car", "grass"], **options)
    return MODELS.build(config)


def test_the_token_of_a_picture_of_another_size():
    """Position embeddings are resized; the class token and all patches come out in the text space."""
    model = tiny_model()
    token, patches = model(torch.randn(2, 3, 24, 40))
    assert token.shape == (2, 384) and patches.shape == (2, 15, 384)


def test_a_class_token_twin_trains_no_patch():
    model = tiny_model(patch_weight=0.0)
    words = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    losses = model(torch.randn(2, 3, 16, 16), words=words, mode="loss")
    assert set(losses) == {"loss_class"} and losses["loss_class"].requires_grad


def test_channels_of_tower_and_text_must_agree():
    with pytest.raises(ValueError, match=r"384 channels, vision\.output_dim is 64"):
        tiny_model(vision=dict(image_size=16, patch_size=8, width=32, layers=1, heads=2, mlp_ratio=2.0, output_dim=64))


def test_tiles_keep_their_pictures_and_words():
    """Eight pictures of one grey each make two mosaics; the patch table says whose grey is where."""
    torch.manual_seed(0)
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 24, 48)
    mosaics, words, tiles = tile_pictures(images, torch.eye(8), (2, 2), 8)
    assert mosaics.shape == (2, 3, 48, 96) and words.shape == (2, 4, 8) and tiles.shape == (6, 12)
    assert sorted(set(tiles.flatten().tolist())) == [0, 1, 2, 3]
    for which in range(2):
        torch.testing.assert_close(mosaics[which, 0, 4::8, 4::8], (4 * which + tiles).float())
        assert words[which].argmax(1).tolist() == [4 * which + tile for tile in range(4)]
    with pytest.raises(ValueError, match="7 pictures does not fill mosaics of 2 x 2"):
        tile_pictures(images[:7], torch.eye(8)[:7], (2, 2), 8)


def test_one_tile_is_the_picture():
    images, words = torch.randn(2, 3, 16, 16), torch.eye(2)
    same, tile_words, tiles = tile_pictures(images, words, (1, 1), 8)
    assert torch.equal(same, images) and torch.equal(tile_words[:, 0], words) and not tiles.any()
