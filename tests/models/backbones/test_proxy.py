"""ProxyBackbone: batches are their images, windows of any shape, scope of the proxy, oddities of the official code."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.attention import proxy_weights
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


def build(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type="ProxyBackbone", **{"model": CLIP, "proxy": DINO, **options}))


def segmentor(mode, **backbone):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="ProxyBackbone", **{"model": CLIP, "proxy": DINO, **backbone}),
            decode_head=dict(type="PixelTextHead"),
            vocabulary=["cat", "dog", "tree", "car"],
            class_embeddings=torch.randn(4, 24),
            test_cfg=dict(**mode, logit_scale=40.0, keep_logits=True),
        )
    )


SETTINGS = {
    "dino": {},
    "image scope": dict(proxy_scope="image"),
    "sam": dict(proxy=SAM, proxy_size=64),
    "residual and mlp": dict(residual=True, mlp=True),
}
MODES = {"whole": dict(mode="whole"), "slide": dict(mode="slide", crop_size=(64, 48), stride=(32, 40), window_batch=5)}


@pytest.mark.parametrize("size", [(80, 110), (131, 50)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_is_its_images(name, mode, size):
    model = segmentor(MODES[mode], **SETTINGS[name])
    images = torch.randn(3, 3, *size) * torch.tensor([0.3, 1, 3]).view(3, 1, 1, 1)
    metas = [dict(ori_shape=size), dict(ori_shape=(40, 97)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(images, metas))
    for image, meta, sample in zip(images, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        logits = alone.seg_logits.data
        assert logits.shape == (4, *meta["ori_shape"]) and logits.std() > 1e-3
        torch.testing.assert_close(sample.seg_logits.data, logits, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_grid_is_that_of_the_proxy_whichever_side_is_longer(name):
    backbone = build(**SETTINGS[name])
    features = backbone(torch.randn(1, 3, 48, 96))
    turned = backbone(torch.randn(1, 3, 96, 48))
    expected = (8, 8) if name == "sam" else (6, 12)
    assert features.grid == expected and turned.grid == expected[::-1]
    assert features.dense.shape[1] == 24 and features.dense.isfinite().all()


def test_tokens_are_the_values_averaged_by_the_affinity_of_the_proxy():
    """Worked out from the captured parts, for a grid of the proxy that is finer and not square."""
    backbone = build(capture=("v", "proxy", "tokens", "input"), beta=0.7, gamma=2.0)
    features = backbone(torch.randn(2, 3, 48, 64))
    extras = features.extras
    unit = F.normalize(extras["proxy"], dim=1).flatten(2)
    cosines = unit.transpose(1, 2) @ unit
    logits = (cosines - 0.7 * cosines.mean(dim=(1, 2), keepdim=True)) * 2.0
    weights = logits.masked_fill(logits < 0, -torch.inf).softmax(dim=-1)
    values = F.interpolate(extras["v"], size=(6, 8), mode="bilinear").flatten(2).transpose(1, 2)
    expected = backbone.clip.blocks()[-1].attn.out_proj(weights @ values)
    torch.testing.assert_close(extras["tokens"].flatten(2).transpose(1, 2), expected, **CLOSE)
    assert not torch.allclose(extras["v"], extras["input"], atol=1e-2)


def test_residual_and_mlp_are_those_of_the_last_block():
    plain, whole = build(capture=("tokens", "input")), build(capture=("tokens",), residual=True, mlp=True)
    whole.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 32, 48)
    extras = plain(images).extras
    stream = F.interpolate(extras["input"], size=(4, 6), mode="bilinear") + extras["tokens"]
    rows, block = stream.flatten(2).transpose(1, 2), plain.clip.blocks()[-1]
    expected = rows + block.mlp(block.ln_2(rows))
    torch.testing.assert_close(whole(images).extras["tokens"].flatten(2).transpose(1, 2), expected, **CLOSE)


def test_image_scope_runs_the_proxy_once_and_gives_windows_their_cells():
    backbone = build(proxy_scope="image", capture=("proxy",))
    images = torch.randn(2, 3, 64, 96)
    boxes = [(0, 0, 64, 64), (32, 0, 96, 64)]
    seen = []
    backbone.proxy.register_forward_hook(lambda module, inputs, output: seen.append(output.maps[-1]))
    maps = backbone.window_inputs(images, [], boxes)["proxy_maps"]
    assert len(seen) == 1 and seen[0].shape[-2:] == (8, 12)
    expected = torch.stack([seen[0][..., :8], seen[0][..., 4:]], dim=1).flatten(0, 1)  # image by image
    torch.testing.assert_close(maps, expected)
    features = backbone(images[:1, :, :, 32:], proxy_maps=maps[1:2])
    torch.testing.assert_close(features.extras["proxy"], maps[1:2])
    assert build().window_inputs(images, [], boxes) == {}


def test_image_scope_of_one_window_is_the_window_scope():
    images = torch.randn(2, 3, 72, 100)
    results = [
        model.decode(model.encode(images))
        for scope in ("window", "image")
        for model in [segmentor(dict(mode="whole"), proxy_scope=scope)]
    ]
    for one, other in zip(*results):
        torch.testing.assert_close(one.seg_logits.data, other.seg_logits.data, atol=1e-4, rtol=0)


def test_the_mean_over_the_batch_is_an_option():
    images = torch.cat([torch.randn(1, 3, 64, 64), torch.randn(1, 3, 64, 64) * 0.05])
    official, ours = build(mean="batch"), build()
    ours.load_state_dict(official.state_dict())
    alone = ours(images[:1]).dense
    torch.testing.assert_close(official(images[:1]).dense, alone, **CLOSE)
    torch.testing.assert_close(ours(images).dense[:1], alone, atol=1e-4, rtol=0)
    assert (official(images).dense[:1] - alone).abs().max() > 1e-4


def test_official_quirks_refuse_windows_that_are_not_square():
    backbone = build(official_quirks=True)
    assert backbone(torch.randn(1, 3, 64, 64)).grid == (8, 8)
    with pytest.raises(ValueError, match="not square, got 64 x 96"):
        backbone(torch.randn(1, 3, 64, 96))


def test_windows_are_padded_as_asked_for():
    assert build().divisor == 16
    assert (
        build(
            proxy=dict(
                DINO, model="vit_small_patch14_reg4_dinov2", model_options=dict(DINO["model_options"], img_size=56)
            )
        ).divisor
        == 112
    )
    features = build(pad_to=56)(torch.randn(1, 3, 50, 100))
    assert features.padding == (6, 3, 6, 3) and features.grid == (7, 14)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_blank_picture_gives_numbers(value):
    """All patches alike: nothing lies above 1.2 times the mean, so that the official formula gives NaN."""
    weights = proxy_weights(torch.ones(1, 4, 4))
    torch.testing.assert_close(weights, torch.full((1, 4, 4), 0.25))
    assert build()(torch.full((1, 3, 64, 64), value)).dense.isfinite().all()


def test_what_cannot_work_is_said():
    with pytest.raises(TypeError, match="CLIPResNet, which has no such block"):
        build(model="RN50")
    with pytest.raises(ValueError, match="proxy_scope must be one of"):
        build(proxy_scope="batch")
