"""FOUND's stages: the discovery, the masks at the edges, and when which of them teaches."""

import pytest
import torch

from ovdense.models.decode_heads import FOUNDHead
from ovdense.models.mask_refinement import snap_to_edges
from ovdense.registry import MODELS


def test_masks_move_to_edges_and_holes_are_filled():
    images = torch.zeros(1, 3, 32, 32)
    images[..., 8:24, 8:24] = 255
    masks = torch.zeros(1, 8, 8)
    masks[:, 2:6, 2:5] = 1  # lacks a column of the square's patches
    masks[:, 3, 3] = 0
    snapped = snap_to_edges(images, masks)
    expected = torch.zeros(1, 8, 8, dtype=torch.bool)
    expected[:, 2:6, 2:6] = True
    assert torch.equal(snapped, expected)


def test_a_mask_that_the_picture_contradicts_stays():
    images = torch.zeros(1, 3, 32, 32)
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[:, 0, 0] = True  # a flat picture smears it away
    assert torch.equal(snap_to_edges(images, masks), masks)


@pytest.fixture(scope="module")
def model():
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="DINOBackbone", model="scenes_dino", capture=("k", "attention"), frozen=True),
            decode_head=dict(type="FOUNDHead", in_channels=128, seed="most", discovery_steps=1),
        )
    )


def test_the_discovery_teaches_first_and_the_own_masks_later(model):
    images = torch.rand(2, 3, 44, 60, generator=torch.Generator().manual_seed(0))
    first, second = (model.loss(images, []) for _ in range(2))
    assert set(first) == {"decode.loss_edges", "decode.loss_discovery"}
    assert set(second) == {"decode.loss_edges", "decode.loss_self"}
    assert int(model.state_dict()["decode_head.steps"]) == 2  # a resumed training goes on there
    sum(second.values()).backward()
    assert model.decode_head.decoder.weight.grad.abs().sum() > 0


def test_it_is_a_model_of_two_named_classes_and_batches_agree(model):
    model.eval()
    assert model.dataset_meta["classes"] == ["background", "object"] and model.num_classes == 2
    images = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    whole = model.encode_decode(images)
    alone = torch.cat([model.encode_decode(image[None]) for image in images])
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=1e-5)


def test_sources_are_checked():
    with pytest.raises(ValueError, match="'decoder' or 'discovery', got 'both'"):
        FOUNDHead(source="both")
