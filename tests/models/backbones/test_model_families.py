"""Representative open_clip families, shrunken: dispatch, shapes, batching, one-cell identity, reasons for refusals."""

from functools import partial

import open_clip
import open_clip.timm_model
import pytest
import timm
import torch

from ovdense.models.backbones import CLIPConvNeXt, CLIPResNet, CLIPTimm, CLIPViT, load_clip
from ovdense.models.backbones.clip_backbone import backbone_class
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
FEATURES = dict(atol=2e-5, rtol=2e-5)

TOKENS = dict(depth=2, embed_dim=64, num_heads=2)  # of timm.create_model
STAGES = dict(depths=(1, 1, 1, 1), dims=(8, 16, 32, 64))
FAST_VIT = dict(layers=(1, 1, 1, 1), embed_dims=(16, 32, 64, 128))
FAST_VIT5 = dict(layers=(1, 1, 1, 1, 1), embed_dims=(16, 32, 64, 128, 256))
VIT = dict(layers=2, width=128, head_width=32)  # of open_clip's vision_cfg

FAMILIES = {
    "ViT-B-16": (CLIPViT, VIT),
    "ViT-H-14-worldwide": (CLIPViT, VIT),  # MetaCLIP 2
    "ViT-M-16-alt": (CLIPViT, VIT),  # layer scale
    "ViT-H-14-CLIPA": (CLIPViT, VIT),  # average pool, no first norm
    "coca_ViT-B-32": (CLIPViT, VIT),  # attentional pool
    "RN50": (CLIPResNet, dict(layers=[1, 1, 1, 1], width=16)),
    "convnext_base_w": (CLIPConvNeXt, STAGES),
    "convnext_large_d": (CLIPConvNeXt, STAGES),  # two-layer projection
    "convnext_xxlarge": (CLIPConvNeXt, STAGES),
    "MobileCLIP-S1": (CLIPConvNeXt, FAST_VIT),
    "MobileCLIP2-S3": (CLIPConvNeXt, FAST_VIT5),  # stride 64
    "MobileCLIP-B": (CLIPTimm, dict(depth=1)),  # convolutional stem
    "MobileCLIP2-L-14": (CLIPTimm, TOKENS),
    "EVA01-g-14": (CLIPTimm, TOKENS),  # no RoPE
    "EVA02-B-16": (CLIPTimm, TOKENS),  # RoPE, fixed size
    "EVA02-E-14": (CLIPTimm, TOKENS),  # norms after the branches
    "ViT-B-16-SigLIP": (CLIPTimm, TOKENS),
    "ViT-B-16-SigLIP2": (CLIPTimm, TOKENS),
    "ViT-SO400M-14-SigLIP": (CLIPTimm, TOKENS),
    "PE-Core-B-16": (CLIPTimm, TOKENS),  # class token, RoPE and attention pool
    "PE-Core-T-16-384": (CLIPTimm, TOKENS),
    "ViTamin-S": (CLIPTimm, dict(depth=1)),
    "vit_medium_patch16_gap_256": (CLIPTimm, TOKENS),
}
POOLED = ("convnext", "MobileCLIP-S", "MobileCLIP2-S", "SigLIP", "ViTamin", "CLIPA", "gap")
ONE_CELL = [name for name in FAMILIES if any(part in name for part in POOLED)]


@pytest.fixture
def build(monkeypatch):
    """name, options -> (backbone, open_clip's own tower with the same weights)."""

    def make(name, **options):
        _, shrink = FAMILIES[name]
        config = dict(open_clip.get_model_config(name), embed_dim=64, text_cfg={})
        if "timm_model_name" in config["vision_cfg"]:
            monkeypatch.setattr(open_clip.timm_model.timm, "create_model", partial(CREATE, **shrink))
        else:
            config["vision_cfg"].update(shrink)
        backbone = MODELS.build(dict(type="CLIPBackbone", model=config, **options))
        tower = load_clip(config).visual
        tower.load_state_dict(backbone.visual.state_dict())
        return backbone, tower

    return make


CREATE = timm.create_model


@torch.no_grad()
def embedding(tower, images):
    out = tower(images)
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize("name", FAMILIES)
def test_any_size_and_batches(name, build):
    backbone, _ = build(name, with_global=True)
    assert type(backbone) is FAMILIES[name][0]
    stride = backbone.stride
    pictures = torch.randn(2, 3, 2 * stride + 3, 2 * stride - 5)
    batch = backbone(pictures)
    assert batch.dense.shape == (2, 64, 3, 2) and batch.grid == (3, 2) and batch.stride == stride
    assert batch.global_embedding.shape == (2, 64)
    for index in range(2):
        single = backbone(pictures[index : index + 1])
        torch.testing.assert_close(single.dense, batch[index].dense, **FEATURES)
        torch.testing.assert_close(single.global_embedding, batch[index].global_embedding, **FEATURES)
    assert backbone(torch.randn(1, 3, 1, 1)).grid == (1, 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_image_embedding_is_open_clips(name, build):
    backbone, tower = build(name, with_global=True)
    size = tower.image_size if isinstance(tower.image_size, tuple) else (tower.image_size,) * 2
    pictures = torch.randn(1, 3, *size)
    backbone(torch.randn(1, 3, 2 * backbone.stride, backbone.stride))  # another size first must leave no trace
    torch.testing.assert_close(backbone(pictures).global_embedding, embedding(tower, pictures), **FEATURES)


@pytest.mark.parametrize("name", ONE_CELL)
def test_one_cell_is_the_image_embedding(name, build):
    """Where the head pools patches only, a one-cell image has one patch embedding: the image embedding."""
    attention = dict(attention="vanilla") if "CLIPA" in name else {}
    backbone, _ = build(name, with_global=True, **attention)
    features = backbone(torch.randn(2, 3, backbone.stride, backbone.stride))
    torch.testing.assert_close(features.dense[..., 0, 0], features.global_embedding, **FEATURES)


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP2", "PE-Core-B-16", "PE-Core-T-16-384"])
def test_one_token_through_the_attention_pool(name, build):
    """The dense route of an attention-pool head is the pool itself, on one token."""
    backbone, tower = build(name)
    token = torch.randn(3, 1, 64)
    with torch.no_grad():
        pooled = tower.head(tower.trunk.forward_head(tower.trunk.norm(token)))
        torch.testing.assert_close(backbone.to_text_space(token)[:, 0], pooled, atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("name", ["EVA02-B-16", "ViT-B-16-SigLIP2", "PE-Core-B-16"])
def test_trunk_at_another_size_is_timms(name, build):
    """Position table and RoPE at a new grid agree with what timm does when it is told the size."""
    backbone, tower = build(name, attention="vanilla", capture=("tokens",))
    size = (backbone.stride * 5, backbone.stride * 7)
    tower.set_input_size(size)
    pictures = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected = tower.trunk.forward_features(pictures)[:, backbone.prefix :]
    tokens = backbone.final_norm(backbone(pictures).extras["tokens"].flatten(2).transpose(1, 2))
    torch.testing.assert_close(tokens, expected, **FEATURES)


@pytest.mark.parametrize("attention", ["value", "vanilla", "qq", "qq+kk", "kk+gaussian", "gem"])
def test_variants_run_on_timm_trunks(attention, build):
    options = dict(depth=2) if attention == "gem" else {}
    capture = ("q", "k_out", "attention", "cls", "dense_cls", "normed")
    backbone, _ = build("EVA02-B-16", attention=attention, attention_options=options, capture=capture)
    features = backbone(torch.randn(2, 3, 32, 48))
    assert features.dense.shape == (2, 64, 2, 3) and features.dense.isfinite().all()
    assert features.extras["attention"].shape == (2, 2, 7, 7) and features.extras["k_out"].shape == (2, 64, 2, 3)


def test_keys_of_the_attention_pool(build):
    backbone, _ = build("ViT-B-16-SigLIP2", capture=("pooled_k",))
    assert backbone(torch.randn(1, 3, 32, 48)).extras["pooled_k"].shape == (1, 64, 2, 3)


def test_stage_maps(build):
    backbone, _ = build("convnext_base_w", capture=("final",))
    features = backbone(torch.randn(1, 3, 64, 96))
    assert [tuple(x.shape[1:]) for x in features.maps] == [(8, 16, 24), (16, 8, 12), (32, 4, 6), (64, 2, 3)]
    torch.testing.assert_close(features.extras["final"], features.maps[-1])


@pytest.mark.parametrize("name", ["EVA02-B-16", "ViT-B-16-SigLIP2", "PE-Core-B-16", "convnext_base_w"])
def test_low_precision(name, build):
    backbone, _ = build(name, with_global=True)
    pictures = torch.randn(1, 3, 64, 64)
    full = backbone(pictures).dense
    low = backbone.bfloat16()(pictures)
    assert low.dense.dtype == low.global_embedding.dtype == torch.bfloat16
    assert torch.cosine_similarity(low.dense.float(), full, dim=1).min() > 0.95


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swin_base_patch4_window7_224", "does not end in a feature map of any size"),
        ("vit_relpos_medium_patch16_cls_224", "does not end in a feature map of any size"),
    ],
)
def test_refused_with_a_reason(name, message, monkeypatch):
    small = dict(depths=(1, 1, 1, 1), embed_dim=32) if "swin" in name else dict(depth=1)
    monkeypatch.setattr(open_clip.timm_model.timm, "create_model", partial(CREATE, **small))
    config = dict(open_clip.get_model_config(name), text_cfg={})
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type="CLIPBackbone", model=config))


def test_every_open_clip_config_has_a_class():
    classes = {name: backbone_class(name) for name in open_clip.list_models()}
    assert len(classes) > 140
    assert set(classes.values()) == {"CLIPViT", "CLIPResNet", "CLIPConvNeXt", "CLIPTimm"}
    assert backbone_class("lite") == "LiteBackbone"
    for name, (cls, _) in FAMILIES.items():
        assert classes[name] == cls.__name__


def test_options_of_another_family_are_refused(build):
    with pytest.raises(TypeError, match=r"CLIPConvNeXt, which has the options.*got attention"):
        build("convnext_base_w", attention="qq")
