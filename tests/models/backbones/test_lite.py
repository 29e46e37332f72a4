"""The embedded photo model against plain timm in float32, and on free photos."""

import pytest
import skimage.data
import timm
import torch
import torch.nn.functional as F

from ovdense.models.backbones import CLIPBackbone, LiteBackbone
from ovdense.models.lite_files import lite_config, read_tensors
from ovdense.models.text_encoders import LiteText, load_text_tower
from ovdense.registry import MODELS

IMAGE_SIZE = (96, 128)


@pytest.fixture(scope="module")
def backbone():
    return LiteBackbone(with_global=True)


@pytest.fixture(scope="module")
def text():
    return LiteText(sentence_encoder=load_text_tower().encode)


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, *IMAGE_SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def photo(name: str, short_side: int = 448) -> torch.Tensor:
    pixels = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255
    scale = short_side / min(pixels.shape[-2:])
    size = [round(side * scale) for side in pixels.shape[-2:]]
    return (F.interpolate(pixels, size, mode="bilinear", antialias=True) - 0.5) / 0.5


def plain_embedding(images: torch.Tensor, output_stride: int) -> torch.Tensor:
    """The formula of the module's head with unfolded batch norms, before the mean filter."""
    vision = lite_config()["vision_cfg"]
    logits = rows = 0
    for name in vision["towers"]:
        tensors = read_tensors(None, f"visual.{name}.")
        model = timm.create_model(f"tf_efficientnet_{name}", num_classes=0, output_stride=output_stride).eval()
        model.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("trunk.")})
        features = model.forward_features(images)
        logits = logits + F.conv2d(features, tensors["classifier.weight"][..., None, None], tensors["classifier.bias"])
        rows = rows + F.conv2d(features, tensors["rows.weight"][..., None, None], tensors["rows.bias"])
    mean = read_tensors(None, "visual.")["mean_logits"].view(1, -1, 1, 1)
    rows = rows / 2
    rows[:, -1] += vision["other_bias"]
    rows = rows.softmax(1)
    return torch.cat([(logits / 2 - vision["debias"] * mean).softmax(1) * rows[:, -1:], rows[:, :-1]], dim=1)


@pytest.mark.parametrize("output_stride", [16, 32])
@torch.no_grad()
def test_equals_plain_timm(output_stride, images):
    features = LiteBackbone(output_stride=output_stride, smooth=1)(images)
    assert features.dense.shape == (2, 1008, 96 // output_stride, 128 // output_stride)
    assert features.stride == output_stride
    torch.testing.assert_close(features.dense, plain_embedding(images, output_stride), atol=2e-5, rtol=0)


def test_entries_are_shares(backbone, images):
    dense = backbone(images).dense
    assert dense.min() >= 0
    torch.testing.assert_close(dense.sum(1), torch.ones(2, 6, 8), atol=1e-5, rtol=0)


def test_smoothing_is_a_mean_over_neighbours(backbone, images):
    rough = F.pad(LiteBackbone(smooth=1)(images).dense, (1, 1, 1, 1), mode="replicate")
    expected = sum(rough[..., y : y + 6, x : x + 8] for y in range(3) for x in range(3)) / 9
    torch.testing.assert_close(backbone(images).dense, expected, atol=1e-6, rtol=0)


def test_batched_equals_one_by_one(backbone, images):
    batched = backbone(images)
    for index in range(2):
        single = backbone(images[index : index + 1])
        torch.testing.assert_close(batched[index].dense, single.dense, atol=2e-5, rtol=0)
        torch.testing.assert_close(batched[index].global_embedding, single.global_embedding, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (15, 40), (33, 64), (64, 33)])
def test_any_size(backbone, size):
    features = backbone(torch.zeros(1, 3, *size))
    height, width = (-(-side // 16) for side in size)
    assert features.grid == (height, width)
    assert features.image_size == size
    assert features.padding == (0, 0, width * 16 - size[1], height * 16 - size[0])
    assert features.global_embedding.shape == (1, 1008)
    assert torch.isfinite(features.dense).all()


@pytest.mark.parametrize(("output_stride", "strides"), [(16, [2, 4, 8, 16, 16]), (32, [2, 4, 8, 16, 32, 32])])
def test_stage_maps(output_stride, strides, images):
    maps = LiteBackbone(output_stride=output_stride)(images).maps
    assert [96 // level.shape[-2] for level in maps] == strides
    assert [level.shape[1] for level in maps][:3] == [16, 24, 40]
    assert [level.shape[1] for level in maps][-2:] == [320, 1280]


def test_flip_makes_mirrored_photos_give_mirrored_maps(images):
    backbone = LiteBackbone(flip=True, scales=(0.5,))
    mirrored = backbone(images.flip(-1)).dense.flip(-1)
    torch.testing.assert_close(backbone(images).dense, mirrored, atol=2e-5, rtol=0)


def test_frozen_keeps_no_graph_and_stays_in_evaluation_mode(backbone, images):
    assert not backbone.train().training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not backbone(images).dense.requires_grad


def test_unfrozen_trains(images):
    backbone = LiteBackbone(frozen=False, towers="lite0")
    backbone(images).maps[-1].sum().backward()
    assert backbone.towers[0].trunk.conv_stem.weight.grad.abs().sum() > 0


def test_same_space_on_both_sides(backbone, text):
    assert backbone.space == text.space
    assert backbone.space.startswith("lite/")
    assert backbone.embed_dim == text.embed_dim == 1008


def test_registered_under_both_names():
    assert isinstance(MODELS.build(dict(type="LiteBackbone", towers=["lite0"])), LiteBackbone)
    assert isinstance(CLIPBackbone(model="lite", pretrained=None, towers=["lite0"]), LiteBackbone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(output_stride=8), "16 or 32, got 8"),
        (dict(smooth=2), "got 2"),
        (dict(scales=(0.0,)), r"got \[0.0\]"),
        (dict(towers=("lite7",)), r"lite0, lite2, got \['lite7'\]"),
        (dict(folder="nowhere"), "got nowhere"),
    ],
)
def test_bad_options_say_what_came(options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        LiteBackbone(**options)


NAMES = ["cat", "dog", "cup of coffee", "bicycle", "rocket", "motorcycle", "pizza", "tree", "book", "chair"]


@pytest.mark.parametrize(("name", "answer"), [("chelsea", "cat"), ("coffee", "cup of coffee")])
def test_names_whole_photos(backbone, text, name, answer):
    scores = F.normalize(backbone(photo(name, 260)).global_embedding) @ text.encode_phrases(NAMES).T
    assert NAMES[scores[0].argmax()] == answer


def test_labels_the_pixels_of_a_photo(backbone, text):
    """Chelsea fills her photo; the names beside hers are no part of it."""
    logits = torch.einsum("bchw,kc->bkhw", backbone(photo("chelsea")).dense, text.encode_phrases(NAMES))
    assert (logits.argmax(1) == NAMES.index("cat")).float().mean() > 0.6


def test_sees_the_sky_behind_a_rocket(backbone, text):
    names = ["sky", "person", "dog", "pizza", "car"]
    labels = torch.einsum("bchw,kc->bkhw", backbone(photo("rocket")).dense, text.encode_phrases(names)).argmax(1)
    assert (labels[:, : labels.shape[1] // 2] == 0).float().mean() > 0.5
