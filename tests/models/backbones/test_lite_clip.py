"""The photo model as an open_clip model: the same vectors as its two sides give, in code written for open_clip."""

import open_clip
import pytest
import skimage.data
import torch
from PIL import Image

from ovdense.models.backbones.lite_clip import open_lite
from ovdense.models.text_encoders import LiteText, load_text_tower

NAMES = ["cat", "dog", "cup of coffee", "bicycle", "rocket", "pizza"]


@pytest.fixture(scope="module")
def opened():
    return open_lite()


@pytest.fixture(scope="module")
def pictures(opened):
    return torch.stack([opened[1](Image.fromarray(getattr(skimage.data, name)())) for name in ("chelsea", "coffee")])


def test_texts_are_those_of_the_text_side(opened):
    model, _, tokenizer = opened
    text = LiteText(sentence_encoder=load_text_tower().encode)
    tokens = tokenizer(NAMES)
    assert tokens.shape == (6, 32)
    torch.testing.assert_close(model.encode_text(tokens), text.encode_phrases(NAMES, ["{}"]), atol=2e-5, rtol=0)


def test_pictures_find_their_names(opened, pictures):
    model, _, tokenizer = opened
    image, text, scale = model(pictures, tokenizer([f"a photo of a {name}" for name in NAMES]))
    assert image.shape == (2, 1008)
    torch.testing.assert_close(image.norm(dim=1), torch.ones(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(text.norm(dim=1), torch.ones(6), atol=1e-5, rtol=0)
    assert scale.item() == pytest.approx(10)
    assert (image @ text.T).argmax(1).tolist() == [0, 2]


def test_open_clips_zero_shot_classifier_takes_it(opened, pictures):
    model, _, tokenizer = opened
    templates = ["a photo of a {}.", "a picture of the {}."]
    weights = open_clip.build_zero_shot_classifier(model, tokenizer, NAMES, templates, num_classes_per_batch=None)
    assert weights.shape == (1008, 6)
    assert (model.encode_image(pictures, normalize=True) @ weights).argmax(1).tolist() == [0, 2]


def test_entries_are_shares_and_sizes_are_free(opened):
    rows = opened[0].encode_image(torch.zeros(2, 3, 64, 100))
    torch.testing.assert_close(rows.sum(1), torch.ones(2), atol=1e-5, rtol=0)
