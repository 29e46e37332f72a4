"""A decomposed CLIP: its parts sum to what the undecomposed one gives, for batches and any shape."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.apis import Segmenter
from ovdense.apis.demo import scene
from ovdense.models.backbones import CLIPViT, DecomposedCLIP


def test_parts_sum_to_the_embedding_of_the_plain_tower():
    images = torch.randn(2, 3, 48, 72, generator=torch.manual_seed(0))
    model, plain = DecomposedCLIP(model="scenes"), CLIPViT(model="scenes", attention="vanilla", with_global=True)
    effects = model.decompose(images)
    unit = F.normalize(plain(images).global_embedding, dim=1)
    torch.testing.assert_close(effects.heads.sum(dim=(1, 2, 3)) + effects.mlps.sum(1), unit, atol=1e-5, rtol=1e-4)
    features = model(images)
    torch.testing.assert_close(features.dense.flatten(2).transpose(1, 2), effects.heads[:, :, 1:].sum(dim=(1, 3)))
    last = DecomposedCLIP(model="scenes", last_layers=2)(images)
    torch.testing.assert_close(last.dense.flatten(2).transpose(1, 2), effects.heads[:, -2:, 1:].sum(dim=(1, 3)))
    alone = model(images[1:])
    torch.testing.assert_close(alone.dense, features.dense[1:], atol=1e-6, rtol=1e-4)


def test_the_method_is_found_by_name_and_labels_a_scene():
    show = scene()
    result = Segmenter.from_pretrained("scenes", method="decomposition")(show.image, show.segment)
    assert result.labels.shape == show.image.shape[:2] and len(result.areas()) > 1


def test_other_depths_are_refused():
    with pytest.raises(ValueError, match="last_layers must be 1 to"):
        DecomposedCLIP(model="scenes", last_layers=99)
