"""A ViT whose attention is overridden in some blocks, and watched."""

from itertools import pairwise

import pytest
import torch

from ovdense.functional.attention_override import AttentionOverride, class_row_bias, key_mask
from ovdense.models.backbones import CLIPViT, DINOBackbone

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
MODEL = dict(embed_dim=16, vision_cfg=dict(image_size=32, patch_size=8, width=32, layers=4, head_width=8))


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return CLIPViT(model=MODEL, attention="vanilla", with_global=True)


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 24, 40, generator=torch.manual_seed(1))


def test_no_override_is_the_models_own_embedding(vit, images):
    expected = vit(images).global_embedding
    torch.testing.assert_close(vit.run_overridden(images), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vit.run_overridden(images, AttentionOverride()), expected, atol=1e-5, rtol=1e-5)


def test_blocks_are_shown_in_order_with_what_entered_and_left(vit, images):
    seen = []
    embedding = vit.run_overridden(images, observe=seen.append)
    torch.testing.assert_close(embedding, vit(images).global_embedding, atol=1e-5, rtol=1e-5)
    assert [record.index for record in seen] == [0, 1, 2, 3]
    assert seen[0].weights.shape == (2, 4, 16, 16)
    for before, after in pairwise(seen):
        torch.testing.assert_close(before.output, after.x)
    torch.testing.assert_close(seen[2].parts.mlp(seen[2].attended), seen[2].output)


def test_an_override_of_one_block_begins_there(vit, images):
    mask = key_mask(torch.zeros(1, 3, 5))
    seen = []
    vit.run_overridden(images, {2: AttentionOverride(mask=mask)}, seen.append)
    assert (seen[2].weights[..., 1:] == 0).all() and (seen[1].weights > 0).all() and (seen[3].weights > 0).all()


def test_regions_share_the_blocks_before_and_do_not_depend_on_each_other(vit, images):
    maps = torch.rand(5, 3, 5, generator=torch.manual_seed(2))
    override = AttentionOverride(bias=class_row_bias(maps))
    together = vit.region_embeddings(images[:1], override, 5, first_block=2, chunk=2)
    for index in range(5):
        one = override[index : index + 1]
        alone = vit.run_overridden(images[:1], {2: one, 3: one})
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vit.biased_embeddings(images[:1], maps, first_block=2), together, atol=1e-5, rtol=1e-5)
    assert vit.biased_embeddings(images[:1], maps[:0]).shape == (0, 16)


def test_what_cannot_be_is_refused(vit, images):
    with pytest.raises(ValueError, match=r"on the grid \(3, 5\), got \(4, 4\)"):
        vit.biased_embeddings(images[:1], torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="got 2 images"):
        vit.region_embeddings(images, AttentionOverride(), 1, first_block=0)


def test_blocks_of_papers_are_found_in_models_of_other_depths(vit):
    assert vit.usual_first(8, 12) == 2 and vit.usual_first(3, 12) == 3 and vit.usual_first(20, 24) == 3


def test_timm_trunks_are_overridden_too():
    dino = DINOBackbone(model="scenes_dino", with_global=True)
    images = torch.randn(1, 3, 32, 48, generator=torch.manual_seed(3))
    torch.testing.assert_close(
        dino.run_overridden(images, AttentionOverride()), dino(images).global_embedding, atol=1e-5, rtol=1e-5
    )
