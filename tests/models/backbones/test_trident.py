"""TridentBackbone: the splice by hand, batches that are their images, tiles, and what the correlation model sees."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.correlation import correlate
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
CLIP = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=3, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)
DINO = dict(
    type="DINOBackbone",
    model="vit_small_patch8_224.dino",
    model_options=dict(depth=2, embed_dim=32, num_heads=2, img_size=64),
)
SAM = dict(
    type="SAMBackbone",
    model_options=dict(
        img_size=64,
        patch_size=8,
        embed_dim=16,
        depth=2,
        num_heads=2,
        neck_chans=8,
        window_size=3,
        global_attn_indexes=(1,),
    ),
)
CLOSE = dict(atol=2e-5, rtol=2e-5)


def config(**options):
    given = dict(type="TridentBackbone", model=CLIP, proxy=DINO, correlation=SAM, correlation_size=64)
    return {**given, "crop_size": 64, "stride": 32, **options}


def build(**options):
    torch.manual_seed(0)
    return MODELS.build(config(**options))


def segmentor(**options):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=config(**options),
            decode_head=dict(type="PixelTextHead"),
            vocabulary=["cat", "dog", "tree", "car"],
            class_embeddings=torch.randn(4, 24),
            test_cfg=dict(mode="whole", resize="direct", logit_scale=40.0, keep_logits=True),
        )
    )


SETTINGS = {
    "sam": {},
    "dino": dict(correlation=DINO),
    "tiles": dict(correlation_tiles=2),
    "own size": dict(correlation=DINO, correlation_size=None),
    "windows alone": dict(mean="window", window_batch=3, queries_at_once=7),
    "patches of 14 and 8": dict(model=dict(CLIP, vision_cfg=dict(CLIP["vision_cfg"], image_size=56, patch_size=14))),
    "official": dict(official_quirks=True),
}


@pytest.mark.parametrize("size", [(80, 110), (131, 70), (50, 97)])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_is_its_images(name, size):
    if name == "official" and min(size) < 64:
        pytest.skip("windows that are not square are refused")
    model, images = segmentor(**SETTINGS[name]), torch.randn(3, 3, *size) * torch.tensor([0.3, 1, 3]).view(3, 1, 1, 1)
    metas = [dict(ori_shape=size), dict(ori_shape=(40, 97)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(images, metas))
    for image, meta, sample in zip(images, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        logits = alone.seg_logits.data
        assert logits.shape == (4, *meta["ori_shape"]) and logits.std() > 1e-4
        torch.testing.assert_close(sample.seg_logits.data, logits, atol=5e-4, rtol=0)


def test_windows_are_pasted_averaged_and_resized():
    """Two windows of 8 cells that share four: a canvas of 8 x 12 cells, its middle the mean of both."""
    backbone = build()
    tokens = torch.randn(2, 5, 8, 8)
    canvas = torch.cat(
        [tokens[:1, ..., :4], tokens.mul(0.5)[:1, ..., 4:] + tokens.mul(0.5)[1:, ..., :4], tokens[1:, ..., 4:]], -1
    )
    expected = F.interpolate(canvas, size=(5, 7), mode="bilinear", align_corners=False)
    torch.testing.assert_close(backbone.splice(tokens, (64, 96), (64, 64), (5, 7)), expected, **CLOSE)
    down = backbone.splice(tokens.transpose(-1, -2), (96, 64), (64, 64), (7, 5))
    torch.testing.assert_close(down, expected.transpose(-1, -2), **CLOSE)


def test_the_parts_make_the_whole():
    backbone = build(capture=("spliced", "tokens"))
    images = torch.randn(1, 3, 64, 96)
    features = backbone(images)
    assert features.grid == (5, 8) and features.image_size == (64, 96) and features.padding == (0, 0, 0, 0)
    assert features.dense.shape == (1, 24, 5, 8) and features.global_embedding is None
    windows = torch.cat([images[..., :64], images[..., 32:]])
    maps = backbone.windows.proxy_maps(windows)
    unit = F.normalize(maps, dim=1).flatten(2)
    mean = (unit.transpose(1, 2) @ unit).mean()  # over both windows
    tokens = backbone.windows.encode(windows, maps, mean.expand(2)).extras["tokens"]
    spliced = backbone.splice(tokens, (64, 96), (64, 64), (5, 8))
    torch.testing.assert_close(features.extras["spliced"], spliced, **CLOSE)
    seen = F.interpolate(backbone_input(backbone, images), size=(40, 64), mode="bilinear", antialias=True)
    expected = correlate(spliced, backbone.correlation.patch_attention(seen))
    torch.testing.assert_close(features.extras["tokens"], expected, **CLOSE)
    normed = (
        backbone.windows.clip.visual.ln_post(expected.flatten(2).transpose(1, 2)) @ backbone.windows.clip.visual.proj
    )
    torch.testing.assert_close(features.dense.flatten(2).transpose(1, 2), normed, **CLOSE)


def backbone_input(backbone, images):
    """Images with CLIP's mean and std taken off and the correlation model's put on."""
    mean, std, new_mean, new_std = (
        torch.tensor(values).view(3, 1, 1)
        for model in (backbone, backbone.correlation)
        for values in (model.image_mean, model.image_std)
    )
    return (images * std + mean - new_mean) / new_std


def test_the_mean_of_the_affinity_is_the_pictures_or_the_windows():
    images = torch.cat([torch.randn(1, 3, 64, 64), torch.randn(1, 3, 64, 64) * 0.02], dim=-1)
    picture, window = build(capture=("spliced",)), build(capture=("spliced",), mean="window", stride=64)
    picture.load_state_dict(window.state_dict())
    assert (picture(images).extras["spliced"] - window(images).extras["spliced"]).abs().max() > 1e-3
    one = images[..., :64]
    torch.testing.assert_close(picture(one).extras["spliced"], window(one).extras["spliced"], **CLOSE)


def test_tiles_are_pictures_of_their_own_to_the_correlation_model():
    whole, tiles = build(capture=("spliced", "tokens")), build(capture=("spliced", "tokens"), correlation_tiles=2)
    images = torch.randn(1, 3, 64, 128)
    features = tiles(images)
    assert whole(images).grid == (4, 8) and features.grid == (8, 16)
    left = tiles.correlation.patch_attention(backbone_input(tiles, images[..., :64]))
    expected = correlate(features.extras["spliced"][..., :8], left)
    torch.testing.assert_close(features.extras["tokens"][..., :8], expected, **CLOSE)


@pytest.mark.parametrize(
    ("size", "ours", "official"),
    [((64, 96), (40, 64), (43, 64)), ((90, 60), (64, 40), (64, 43)), ((2, 90), (8, 64), (8, 64))],
)
def test_what_the_correlation_model_sees(size, ours, official):
    """The longer side becomes 64; ours are whole cells of 8, the official code leaves the rest of the last one out."""
    assert build().correlation_input(size) == ours
    assert build(official_quirks=True).correlation_input(size) == official


def test_what_cannot_work_is_said():
    with pytest.raises(ValueError, match="leaves gaps"):
        build(stride=80)
    with pytest.raises(ValueError, match="no global embedding"):
        build(with_global=True)
    with pytest.raises(ValueError, match="mean must be one of"):
        build(mean="batch")
    with pytest.raises(ValueError, match="correlation_tiles must be"):
        build(correlation_tiles=0)
    with pytest.raises(TypeError, match="correlation must be a backbone with the attention"):
        build(correlation=dict(type="CLIPBackbone", model="RN50"))
    with pytest.raises(ValueError, match="takes normalised float images"):
        build()(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
