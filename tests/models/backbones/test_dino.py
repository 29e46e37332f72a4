"""DINOBackbone against timm's own forward passes on shrunken DINO, DINOv2 and DINOv3."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from ovdense.models.backbones import DINOBackbone
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
MODELS_AND_PREFIX = {
    "vit_small_patch8_224.dino": (8, 1),
    "vit_small_patch14_dinov2": (14, 1),
    "vit_small_patch14_reg4_dinov2": (14, 5),
    "vit_small_patch16_dinov3": (16, 5),
}
TINY = dict(depth=3, embed_dim=64, num_heads=2)
FEATURES = dict(atol=2e-5, rtol=2e-5)


def build(name, **options):
    return MODELS.build(dict(type="DINOBackbone", model=name, model_options=TINY, **options))


def reference(backbone):
    trunk = timm.create_model(backbone.name, num_classes=0, dynamic_img_size=True, **TINY).eval()
    trunk.load_state_dict(backbone.trunk.state_dict())
    return trunk


def rows(x):
    return x.flatten(2).transpose(1, 2)


@pytest.mark.parametrize("name", MODELS_AND_PREFIX)
def test_tokens_are_timms(name):
    stride, prefix = MODELS_AND_PREFIX[name]
    backbone = build(name, position="gem", with_global=True, capture=("prefix", "tokens"))
    assert (backbone.stride, backbone.prefix, backbone.embed_dim, backbone.space) == (stride, prefix, 64, None)
    pictures = torch.randn(2, 3, 3 * stride, 5 * stride)
    features = backbone(pictures)
    with torch.no_grad():
        expected = reference(backbone).forward_features(pictures)
    assert features.dense is None and features.grid == (3, 5) and len(features) == 2
    torch.testing.assert_close(rows(features.maps[0]), expected[:, prefix:], **FEATURES)
    torch.testing.assert_close(features.global_embedding, expected[:, 0], **FEATURES)
    assert features.extras["prefix"].shape == (2, prefix, 64)


@pytest.mark.parametrize("name", MODELS_AND_PREFIX)
def test_queries_keys_values_and_attention_explain_the_last_block(name):
    """softmax(q k^T / sqrt(d)) of the captured attention row, applied to the captured values, is the block's output."""
    backbone = build(name, capture=("q", "k", "v", "attention", "input", "tokens"))
    stride, prefix = MODELS_AND_PREFIX[name]
    features = backbone(torch.randn(1, 3, 2 * stride, 3 * stride))
    extras = features.extras
    assert extras["q"].shape == extras["k"].shape == extras["v"].shape == (1, 64, 2, 3)
    attention = extras["attention"]
    assert attention.shape == (1, 2, prefix + 6, prefix + 6)
    torch.testing.assert_close(attention.sum(-1), torch.ones(1, 2, prefix + 6))
    heads = lambda x: rows(x).unflatten(-1, (2, 32)).transpose(1, 2)  # noqa: E731
    patches = heads(extras["q"]) @ heads(extras["k"]).transpose(-1, -2) / 32**0.5
    own = attention[:, :, prefix:, prefix:]
    torch.testing.assert_close(patches.softmax(-1), own / own.sum(-1, keepdim=True), **FEATURES)


def test_intermediate_blocks_are_normed():
    backbone = build("vit_small_patch14_reg4_dinov2", position="gem", out_indices=(0, 2))
    pictures = torch.randn(1, 3, 28, 42)
    expected = reference(backbone).get_intermediate_layers(pictures, n=[0, 2], reshape=True, norm=True)
    for actual, wanted in zip(backbone(pictures).maps, expected, strict=True):
        torch.testing.assert_close(actual, wanted.detach(), **FEATURES)


def test_position_table_as_the_original():
    assert build("vit_small_patch8_224.dino").position == "sclip"
    assert build("vit_small_patch14_reg4_dinov2").position == "gem"


@pytest.mark.parametrize("name", ["vit_small_patch8_224.dino", "vit_small_patch16_dinov3"])
def test_any_size_and_batches(name):
    backbone = build(name, capture=("k",))
    pictures = torch.randn(2, 3, 37, 50)
    batch = backbone(pictures)
    stride = backbone.stride
    assert batch.grid == (-(-37 // stride), -(-50 // stride))
    for index in range(2):
        single = backbone(pictures[index : index + 1])
        torch.testing.assert_close(single.maps[0], batch[index].maps[0], **FEATURES)
        torch.testing.assert_close(single.extras["k"], batch[index].extras["k"], **FEATURES)
    assert backbone(torch.randn(1, 3, 3, 3)).grid == (1, 1)


def test_local_files(tmp_path):
    torch.manual_seed(3)
    backbone = build("vit_small_patch14_reg4_dinov2")
    state = backbone.trunk.state_dict()
    save_file(state, tmp_path / "timm.safetensors")
    loaded = build("vit_small_patch14_reg4_dinov2", pretrained=str(tmp_path / "timm.safetensors"))
    pictures = torch.randn(1, 3, 28, 28)
    torch.testing.assert_close(loaded(pictures).maps[0], backbone(pictures).maps[0])
    state.pop("norm.weight")
    save_file(state, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=r"does not fit: 1 missing: norm\.weight"):
        build("vit_small_patch14_reg4_dinov2", pretrained=str(tmp_path / "broken.safetensors"))


def test_original_dinov2_layout(tmp_path):
    """Facebook's file has a mask token and its own names for registers and gates; timm converts it."""
    backbone = build("vit_small_patch14_reg4_dinov2")
    state = dict(backbone.trunk.state_dict())
    class_row = torch.randn(1, 1, 64)
    original = {name: tensor for name, tensor in state.items() if name not in ("cls_token", "reg_token", "pos_embed")}
    original["mask_token"] = torch.zeros(1, 64)
    original["register_tokens"] = state["reg_token"]
    original["cls_token"] = state["cls_token"] - class_row
    original["pos_embed"] = torch.cat([class_row, state["pos_embed"]], dim=1)
    original = {name.replace(".ls1.gamma", ".ls1.gamma"): tensor.contiguous() for name, tensor in original.items()}
    torch.save(original, tmp_path / "dinov2.pth")
    loaded = build("vit_small_patch14_reg4_dinov2", pretrained=tmp_path / "dinov2.pth")
    pictures = torch.randn(1, 3, 28, 28)
    torch.testing.assert_close(loaded(pictures).maps[0], backbone(pictures).maps[0], **FEATURES)


def test_training_does_not_touch_the_weights():
    """timm trunks have an ``init_weights`` of their own, which a runner must not reach."""
    backbone = build("vit_small_patch14_dinov2")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    torch.nn.Sequential(backbone)[0].init_weights()
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match=r"name of timm.*got 'vit_small_dinov9'"):
        DINOBackbone(model="vit_small_dinov9")
    with pytest.raises(ValueError, match="VisionTransformer and Eva, got ResNet"):
        DINOBackbone(model="resnet18")
    with pytest.raises(ValueError, match="can capture"):
        build("vit_small_patch14_dinov2", capture=("dense_cls",))
    with pytest.raises(FileNotFoundError, match="no weight file"):
        build("vit_small_patch14_dinov2", pretrained="/nowhere/weights.pth")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConnectionError, match="local weight file"):
        DINOBackbone(model="vit_small_patch14_dinov2", pretrained=True)


@pytest.mark.parametrize("name", MODELS_AND_PREFIX)
def test_patch_attention_is_the_captured_attention_of_the_patches(name):
    stride, prefix = MODELS_AND_PREFIX[name]
    backbone, pictures = build(name, capture=("attention", "v")), torch.randn(2, 3, 2 * stride, 3 * stride)
    extras, attention = backbone(pictures).extras, backbone.patch_attention(pictures)
    assert attention.grid == (2, 3) and attention.keys.shape[2] == prefix + 6
    expected = extras["attention"][:, :, prefix:, prefix:]
    torch.testing.assert_close(attention.rows(slice(None)), expected, **FEATURES)
    values = attention.values.transpose(1, 2).flatten(2)
    torch.testing.assert_close(values, rows(extras["v"]), **FEATURES)


def test_patch_attention_needs_queries_and_keys():
    with pytest.raises(ValueError, match="has no queries and keys"):
        build("vit_small_patch8_224.dino", attention="value").patch_attention(torch.randn(1, 3, 16, 16))
