"""CLIPSeg on the embedded CLIP: phrases, pictures and many names, one by one as in batches."""

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from ovdense.models.backbones.class_token_mask import masked_embeddings
from ovdense.registry import MODELS

TEXT = dict(type="CLIPTextEncoder", model="scenes", normalize=False, cache_dir=False)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    head = dict(type="CLIPSegHead", text_dim=384, map_channels=128, width=16, feedforward=32, patch_size=8)
    backbone = dict(type="CLIPBackbone", model="scenes", attention="vanilla", out_indices=(1, 2, 3), capture="stages")
    config = dict(type="CLIPSegmentor", backbone=backbone, text_encoder=TEXT, decode_head=head)
    return MODELS.build(config).eval()


def sample(phrase, size, **fields):
    made = SegDataSample(metainfo=dict(phrase=phrase, ori_shape=size))
    for name, value in fields.items():
        made.set_field(PixelData(data=value), name, PixelData)
    return made


@torch.no_grad()
def test_names_are_decoded_as_each_alone(model):
    images = torch.randn(2, 3, 64, 104)
    model.set_vocabulary(["cat", "grass", "cup"])
    both = model.encode_decode(images)
    assert both.shape == (2, 3, 64, 104) and both.min() >= 0 and both.max() <= 1
    model.set_vocabulary(["grass"])
    torch.testing.assert_close(model.encode_decode(images[1:])[0, 0], both[1, 1], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_threshold_makes_background(model):
    images = torch.randn(1, 3, 50, 70)
    model.set_vocabulary(["cat", "grass"], background=dict(policy="threshold", threshold=1.0))
    assert model.predict(images)[0].pred_sem_seg.data.unique().tolist() == [0]
    model.set_vocabulary(["cat", "grass"], background=dict(policy="threshold", threshold=0.0))
    labels = model.predict(images)[0].pred_sem_seg.data
    assert labels.shape == (1, 50, 70) and 0 not in labels


@torch.no_grad()
def test_phrases_of_pictures_give_binary_maps_of_the_original_size(model):
    images = torch.randn(2, 3, 64, 96)
    out = model.predict(images, [sample("cat", (40, 60)), sample("grass", (32, 48))])
    assert out[0].phrase_prob.data.shape == (1, 40, 60)
    assert torch.equal(out[1].pred_sem_seg.data[0] == 1, out[1].phrase_prob.data[0] > 0.5)
    alone = model.predict(images[1:], [sample("grass", (32, 48))])[0]
    torch.testing.assert_close(alone.phrase_prob.data, out[1].phrase_prob.data, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_pictures_are_prompts_and_mix_with_names(model):
    images, masks = torch.randn(2, 3, 48, 48), torch.zeros(2, 48, 48)
    masks[:, 10:30, 8:40] = 1
    rows = model.prompt_embeddings(["a", "b"], images, masks)
    mixed = model.prompt_embeddings(["a", "b"], images, masks, text_share=0.25)
    text = model.phrase_rows(["a", "b"])
    torch.testing.assert_close(mixed.rows, 0.25 * text + 0.75 * rows.rows)
    model.set_vocabulary(rows)
    assert model.encode_decode(torch.randn(1, 3, 48, 48)).shape == (1, 2, 48, 48)
    with pytest.raises(ValueError, match="prompt must be one of"):
        model.image_rows(images, masks, "drawn")


@torch.no_grad()
def test_a_mask_of_ones_changes_nothing_and_batches_do_not_mix(model):
    images = torch.randn(2, 3, 48, 64)
    plain = model.image_rows(images)
    torch.testing.assert_close(masked_embeddings(model.backbone, images, torch.ones(2, 48, 64)), plain)
    masks = torch.zeros(2, 48, 64)
    masks[0, :, :30] = masks[1, 20:] = 1
    both = masked_embeddings(model.backbone, images, masks)
    alone = masked_embeddings(model.backbone, images[1:], masks[1:])
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-4)
    quirky = masked_embeddings(model.backbone, images, masks, official_quirks=True)
    assert (quirky - both).abs().max() > 1e-4
    with pytest.raises(ValueError, match="masks"):
        masked_embeddings(model.backbone, images, masks[:, :40])


def test_loss_learns_from_the_decoder_alone(model):
    images, label = torch.randn(2, 3, 50, 60), torch.zeros(1, 50, 60, dtype=torch.long)
    label[:, :20] = 1
    prompt = dict(prompt_img=torch.full((3, 48, 48), 90.0))
    samples = [sample("cat", (50, 60), gt_sem_seg=label, **prompt), sample("cup", (50, 60), gt_sem_seg=label)]
    model.train()
    loss = model.loss(images, samples)["decode.loss_bce"]
    loss.backward()
    model.eval()
    assert loss > 0 and model.decode_head.film_mul.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
    with pytest.raises(ValueError, match="1 of 2 pictures have none"):
        model.loss(images, [samples[0], SegDataSample()])
    samples[0].gt_sem_seg.data[0, 0, 0] = 7
    with pytest.raises(ValueError, match="holds 0, 1 and 255, got 7"):
        model.loss(images, samples)
