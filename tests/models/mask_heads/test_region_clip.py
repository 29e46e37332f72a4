"""Naming masks by their crops."""

import pytest
import torch

from ovdense.registry import MODELS

SCENES = dict(type="CLIPBackbone", model="scenes", attention="vanilla")


def classifier(**options):
    return MODELS.build(dict(type="RegionCLIPClassifier", backbone=SCENES, **options)).eval()


@torch.no_grad()
def test_empty_masks_have_no_embedding_and_chunks_change_nothing():
    torch.manual_seed(0)
    image, masks = torch.rand(3, 40, 56) * 255, torch.rand(5, 40, 56) > 0.9
    masks[2] = False
    whole, valid = classifier()(image, masks)
    assert valid.tolist() == [True, True, False, True, True] and whole.shape[0] == 4
    parts, _ = classifier(chunk=1)(image, masks)
    torch.testing.assert_close(parts, whole, atol=2e-5, rtol=1e-4)
    none, valid = classifier()(image, torch.zeros(3, 40, 56, dtype=torch.bool))
    assert none.shape == (0, whole.shape[1]) and not valid.any()


@torch.no_grad()
def test_the_colour_outside_is_the_mean_unless_told():
    image, mask = torch.full((3, 8, 8), 255.0), torch.eye(8, dtype=torch.bool)[None]
    crops, _ = next(iter(classifier(size=8).crops(image, mask)))
    torch.testing.assert_close(crops[0, :, 0, 1], torch.zeros(3), atol=1e-6, rtol=0)
    model = classifier(size=8, fill=(255, 255, 255))
    crops, shown = next(iter(model.crops(image, mask)))
    torch.testing.assert_close(crops[0, :, 0, 1], crops[0, :, 0, 0])
    assert torch.equal(shown[0, 0], mask[0])
    with pytest.raises(ValueError, match="'mean', 'zero'"):
        classifier(fill="grey")
