"""Mask prompts of a CLIP ViT: where they go, other sizes, and what is refused."""

import pytest
import torch

from ovdense.models.backbones import CLIPViT
from ovdense.models.backbones.mask_prompts import MaskPrompts, shown_patches

MODEL = dict(
    embed_dim=16,
    vision_cfg=dict(image_size=32, layers=3, width=64, patch_size=8),
    text_cfg=dict(context_length=8, vocab_size=32, width=32, heads=1, layers=1),
)


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="random"):
        return CLIPViT(model=MODEL, mask_prompt_depth=3, attention="vanilla", with_global=True).eval()


def test_a_patch_with_any_pixel_is_shown():
    mask = torch.zeros(1, 1, 4, 7)
    mask[0, 0, 3, 3] = 1  # the lower right cell of 2 x 3 cells of 2 pixels; column 6 fills no cell
    mask[0, 0, 0, 6] = 1
    assert shown_patches(mask, 2).flatten().tolist() == [0, 0, 0, 0, 1, 0]
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        shown_patches(torch.zeros(1, 2, 4, 4), 2)


def test_prompts_take_the_place_of_hidden_patches_only():
    tables, shown = torch.full((1, 2, 3), 7.0), torch.tensor([[[1.0], [0.0]]])
    prompts, tokens = MaskPrompts(tables, shown), torch.ones(1, 3, 3)
    assert prompts.replace_after(1, tokens, 0).mean(2).tolist() == [[1, 1, 7]]
    assert prompts.replace_after(1, tokens, 1) is tokens  # no prompts for this block


@torch.no_grad()
def test_full_masks_change_nothing_and_hidden_pixels_do_not_matter(vit):
    images = torch.randn(2, 3, 32, 32)
    full = vit(images, masks=torch.ones(2, 1, 32, 32)).global_embedding
    torch.testing.assert_close(full, vit(images).global_embedding)
    masks = torch.zeros(2, 1, 32, 32)
    masks[..., :8, :16] = 1
    other = torch.where(masks > 0, images, torch.randn(()))
    masked = vit(images, masks=masks).global_embedding
    torch.testing.assert_close(vit(other, masks=masks).global_embedding, masked)
    assert (masked - full).abs().max() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (48, 24), (37, 50), (9, 9)])
def test_a_batch_agrees_with_single_crops_of_any_size(vit, size):
    images, masks = torch.randn(3, 3, *size), torch.rand(3, 1, *size) > 0.98
    together = vit(images, masks=masks).global_embedding
    for index in range(3):  # one crop at a time, and masks without a channel
        alone = vit(images[index : index + 1], masks=masks[index : index + 1, 0]).global_embedding
        torch.testing.assert_close(alone, together[index : index + 1], atol=1e-5, rtol=1e-5)


def test_prompts_are_read_from_weights_and_can_be_left_out(vit):
    state = {f"visual.{key}": value for key, value in vit.visual.state_dict().items()}
    state["visual.mask_embedding"] = vit.mask_embedding.detach()
    read = CLIPViT(model=MODEL, pretrained=state)
    assert torch.equal(read.mask_embedding, vit.mask_embedding) and not read.mask_embedding.requires_grad
    assert CLIPViT(model=MODEL, pretrained=state, mask_prompt_depth=0).mask_embedding is None
    with pytest.raises(ValueError, match="mask_prompt_depth=2"):
        CLIPViT(model=MODEL, pretrained=state, mask_prompt_depth=2)


def test_what_cannot_be_is_refused(vit):
    state = {f"visual.{key}": value for key, value in vit.visual.state_dict().items()}
    with pytest.raises(ValueError, match="at most the 3 blocks"):
        CLIPViT(model=MODEL, pretrained=state, mask_prompt_depth=4)
    with pytest.raises(ValueError, match="no mask prompts"):
        CLIPViT(model=MODEL, pretrained=state)(torch.zeros(1, 3, 32, 32), masks=torch.ones(1, 1, 32, 32))
    with pytest.raises(ValueError, match="of the crops' size"):
        vit(torch.zeros(1, 3, 32, 32), masks=torch.ones(1, 1, 8, 8))
    with pytest.raises(ValueError, match="2 masks for 1 crops"):
        vit(torch.zeros(1, 3, 32, 32), masks=torch.ones(2, 1, 32, 32))
