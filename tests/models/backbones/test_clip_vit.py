"""CLIPViT against the official outputs of six methods, and its own promises."""

import json
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from ovdense.functional.attention import ATTENTION_VARIANTS
from ovdense.models.backbones import CLIPViT
from ovdense.registry import MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from official_cases import Case

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
OFFICIAL = Path(__file__).parents[2] / "data" / "official"
FEATURES = dict(atol=2e-5, rtol=2e-5)
INPUTS = ("a", "b", "sq")


def tiny(*, layers=3, quick_gelu=True, **vision):
    vision = dict(image_size=64, patch_size=16, width=64, layers=layers, head_width=16) | vision
    return dict(embed_dim=32, quick_gelu=quick_gelu, vision_cfg=vision)


def case(name, **options):
    """A backbone with the weights of an official case, and the case's tensors."""
    vit = json.loads((OFFICIAL / name / "meta.json").read_text())["vit"]
    weights = Case(OFFICIAL / name).own_weights
    backbone = CLIPViT(model=tiny(layers=vit["layers"]), pretrained=weights, **options)
    return backbone, load_file(OFFICIAL / name / "io.safetensors")


def rows(x):
    return x.flatten(2).transpose(1, 2)


def with_class_token(features):
    return torch.cat([features.extras["dense_cls"][:, None], rows(features.dense)], dim=1)


def compare(actual, official, key):
    """Compares where the case holds that output; True if it did."""
    if key not in official:
        return False
    torch.testing.assert_close(actual, official[key], **FEATURES)
    return True


def images(official):
    found = [(name, official[f"img_{name}"]) for name in INPUTS if f"img_{name}" in official]
    assert found
    return found


@pytest.mark.parametrize(("attention", "key"), [("qq+kk", "csa"), ("vanilla", "vanilla")])
def test_sclip(attention, key):
    capture = ("dense_cls", "input", "input_cls", "vanilla", "vanilla_cls")
    backbone, official = case("sclip", attention=attention, capture=capture, with_global=True)
    for name, image in images(official):
        features = backbone(image)
        assert compare(with_class_token(features), official, f"{key}/dense_{name}")
        extras = features.extras
        entering = torch.cat([extras["input_cls"][:, None], rows(extras["input"])], dim=1)
        assert compare(entering.transpose(0, 1), official, f"pre_last_block_LND_{name}")
        ordinary = torch.cat([extras["vanilla_cls"][:, None], rows(extras["vanilla"])], dim=1)
        assert compare(ordinary, official, f"vanilla/dense_{name}")
        torch.testing.assert_close(features.global_embedding, extras["vanilla_cls"], **FEATURES)


@pytest.mark.parametrize(
    ("key", "attention", "options"),
    [
        ("reduced_naclip_5", "kk+gaussian", dict(std=5.0)),
        ("reduced_naclip_1", "kk+gaussian", dict(std=1.0)),
        ("vanilla_naclip_5", "kk+gaussian", dict(std=5.0)),
        ("reduced_kk_5", "kk", {}),
        ("reduced_nonly_5", "nonly", dict(std=5.0)),
        ("vanilla_csa_5", "qq+kk", {}),
        ("vanilla_vanilla_5", "vanilla", {}),
        ("reduced_vanilla_5", "vanilla", {}),
    ],
)
def test_naclip(key, attention, options):
    keep = key.startswith("vanilla")
    backbone, official = case(
        "naclip", attention=attention, attention_options=options, residual=keep, mlp=keep, capture=("dense_cls",)
    )
    for name, image in images(official):
        assert compare(with_class_token(backbone(image)), official, f"{key}/dense_{name}")


def test_naclip_windows():
    from ovdense.functional.attention import gaussian_bias

    official = load_file(OFFICIAL / "naclip" / "io.safetensors")
    windows = [key for key in official if key.startswith("gauss_add")]
    assert len(windows) == 6
    for key in windows:
        std, grid = key.removeprefix("gauss_add_std").split("_")
        grid = tuple(int(side) for side in grid.split("x"))
        torch.testing.assert_close(gaussian_bias(grid, float(std), like=official[key])[None], official[key], **FEATURES)


@pytest.mark.parametrize("keep", [False, True], ids=["nores", "res"])
@pytest.mark.parametrize(
    ("official_name", "attention"),
    [("vanilla", "vanilla"), ("MaskCLIP", "identity"), ("SCLIP", "qq+kk"), ("ClearCLIP", "qq")],
)
def test_clearclip(official_name, attention, keep):
    backbone, official = case("clearclip", attention=attention, residual=keep, mlp=keep, padding="center")
    for name, image in images(official):
        key = f"{official_name}_{'res' if keep else 'nores'}/dense_{name}"
        assert compare(rows(backbone(image).dense), official, key)


@pytest.mark.parametrize(
    ("setting", "options"),
    [("default", {}), ("iter2_temp", dict(iterations=2, temperature=4.0)), ("depth3", dict(depth=3))],
)
def test_gem(setting, options):
    capture = ("dense_cls", "vanilla", "vanilla_cls")
    backbone, official = case("gem", attention="gem", attention_options=options, position="gem", capture=capture)
    for name, image in images(official):
        features = backbone(image)
        assert compare(with_class_token(features), official, f"{setting}/gem_{name}")
        extras = features.extras
        ordinary = torch.cat([extras["vanilla_cls"][:, None], rows(extras["vanilla"])], dim=1)
        assert compare(ordinary, official, f"default/ori_{name}")


def test_maskclip():
    capture = ("q_out", "k_out", "normed", "vanilla_normed")
    backbone, official = case("maskclip_vit", act="gelu", ln_eps=1e-6, position="mmseg", capture=capture)
    for name, image in images(official):
        features = backbone(image)
        assert compare(features.dense, official, f"{name}/feat_proj")
        assert compare(rows(features.extras["k_out"]), official, f"{name}/k")
        assert compare(rows(features.extras["q_out"]), official, f"{name}/q")
        assert compare(features.extras["normed"], official, f"{name}/v")
        assert compare(features.extras["vanilla_normed"], official, f"{name}/x")


@pytest.mark.parametrize("options", [dict(position="mmseg"), dict(position="gem"), dict(act="gelu"), dict(ln_eps=1e-6)])
def test_official_comparison_catches_a_wrong_setting(options):
    backbone, official = case("sclip", attention="qq+kk", capture=("dense_cls",), **options)
    error = (with_class_token(backbone(official["img_a"])) - official["csa/dense_a"]).abs().max()
    assert error > FEATURES["atol"]


VARIANTS = sorted(set(ATTENTION_VARIANTS) - {"proxy"})


@pytest.mark.parametrize("attention", VARIANTS)
@pytest.mark.parametrize("with_global", [False, True])
def test_batch_equals_single_images_at_any_size(attention, with_global):
    several = ATTENTION_VARIANTS[attention].tail is not None  # attends several times, so there is none to capture
    capture = ("cls", "k") if several else ("attention", "cls", "k")
    backbone = CLIPViT(model=tiny(), attention=attention, with_global=with_global, capture=capture)
    pictures = torch.randn(3, 3, 50, 100)
    batch = backbone(pictures)
    assert batch.dense.shape == (3, 32, 4, 7) and batch.grid == (4, 7) and batch.image_size == (50, 100)
    assert batch.padding == (0, 0, 12, 14) and batch.stride == 16
    assert several or batch.extras["attention"].shape == (3, 4, 29, 29)
    for index in range(3):
        single = backbone(pictures[index : index + 1])
        torch.testing.assert_close(single.dense, batch[index].dense, **FEATURES)
        torch.testing.assert_close(single.extras["cls"], batch[index].extras["cls"], **FEATURES)
        if with_global:
            torch.testing.assert_close(single.global_embedding, batch[index].global_embedding, **FEATURES)


def test_a_tail_has_no_single_attention_and_passes_the_class_token_on():
    with pytest.raises(ValueError, match="'scclip' attends several times"):
        CLIPViT(model=tiny(), attention="scclip", capture=("attention",))
    backbone = CLIPViT(model=tiny(), attention="scclip", capture=("cls", "input_cls", "tokens"), out_indices=(0, 2))
    features = backbone(torch.randn(2, 3, 64, 80))
    assert torch.equal(features.extras["cls"], features.extras["input_cls"])
    assert torch.equal(features.maps[1], features.extras["tokens"]) and features.maps[0].shape == (2, 64, 4, 5)


@pytest.mark.parametrize("attention", VARIANTS)
@pytest.mark.parametrize("size", [(1, 1), (7, 40), (16, 16), (33, 15)])
def test_smaller_than_a_patch_and_odd_sizes(attention, size):
    dense = CLIPViT(model=tiny(), attention=attention)(torch.randn(1, 3, *size)).dense
    assert dense.shape[-2:] == (-(-size[0] // 16), -(-size[1] // 16))
    assert dense.isfinite().all()


@pytest.mark.parametrize(
    "vision",
    [
        {},
        dict(pool_type="avg", final_ln_after_pool=True, no_ln_pre=True),  # CLIPA
        dict(pool_type="avg"),
        dict(attentional_pool=True, attn_pooler_heads=4, attn_pooler_queries=5, output_tokens=True),  # CoCa
        dict(ls_init_value=0.1),
        dict(qk_norm=True, scale_heads=True, scale_attn_inner=True, scale_attn=True, scale_fc=True),
        dict(patch_dropout=0.5),
        dict(pos_embed_type="sin_cos_2d"),
        dict(image_size=(32, 80)),
    ],
    ids=lambda vision: ",".join(vision) or "plain",
)
@pytest.mark.parametrize("attention", ["value", "vanilla", "qq"])
def test_global_embedding_is_open_clips(vision, attention):
    backbone = CLIPViT(model=tiny(**vision), attention=attention, with_global=True)
    height, width = backbone.visual.image_size
    picture = torch.randn(2, 3, height, width)
    expected = backbone.visual(picture)
    expected = expected[0] if isinstance(expected, tuple) else expected
    torch.testing.assert_close(backbone(picture).global_embedding, expected, **FEATURES)
    assert backbone(torch.randn(1, 3, 70, 40)).global_embedding.shape == (1, 32)


def test_vanilla_is_the_whole_model():
    """With attention='vanilla' the class token's row is the image embedding, whatever computes it."""
    backbone = CLIPViT(model=tiny(), attention="vanilla", with_global=True, capture=("dense_cls", "vanilla"))
    features = backbone(torch.randn(2, 3, 64, 64))
    torch.testing.assert_close(features.extras["dense_cls"], features.global_embedding, **FEATURES)
    torch.testing.assert_close(features.extras["vanilla"], features.dense, **FEATURES)


def test_one_cell_of_an_average_head_is_the_image_embedding():
    vision = dict(pool_type="avg", final_ln_after_pool=True, no_ln_pre=True)
    features = CLIPViT(model=tiny(**vision), attention="vanilla", with_global=True)(torch.randn(2, 3, 16, 16))
    torch.testing.assert_close(features.dense[..., 0, 0], features.global_embedding, **FEATURES)


def test_one_token_through_cocas_pooler_is_what_the_pooler_gives():
    backbone = CLIPViT(model=tiny(attentional_pool=True, attn_pooler_heads=4))
    token = torch.randn(2, 1, 64)
    pooled, _ = backbone.visual._pool(token)
    torch.testing.assert_close(backbone.to_text_space(token)[:, 0], pooled @ backbone.visual.proj, **FEATURES)


def test_value_and_identity_differ_by_residual_and_mlp_only():
    torch.manual_seed(1)
    state = CLIPViT(model=tiny()).visual.state_dict()
    state = {f"visual.{name}": value for name, value in state.items()}
    picture = torch.randn(1, 3, 48, 64)
    value = CLIPViT(model=tiny(), pretrained=state, attention="value", residual=False, mlp=False)(picture)
    identity = CLIPViT(model=tiny(), pretrained=state, attention="identity")(picture)
    torch.testing.assert_close(value.dense, identity.dense)


def test_maps_and_tokens():
    backbone = CLIPViT(model=tiny(), attention="qq", out_indices=(0, -1), capture=("tokens", "input", "prefix"))
    picture = torch.randn(2, 3, 64, 64)
    features = backbone(picture)
    assert [tuple(x.shape) for x in features.maps] == [(2, 64, 4, 4)] * 2
    stages = backbone.visual.forward_intermediates(picture, indices=[0, 1])["image_intermediates"]
    torch.testing.assert_close(features.maps[0], stages[0], **FEATURES)
    torch.testing.assert_close(features.extras["input"], stages[1], **FEATURES)
    torch.testing.assert_close(features.maps[1], features.extras["tokens"])
    assert features.extras["prefix"].shape == (2, 1, 64)


def test_raw_and_projected_keys():
    backbone = CLIPViT(model=tiny(), capture=("q", "k", "v", "k_out"))
    extras = backbone(torch.randn(1, 3, 32, 48)).extras
    attn = backbone.visual.transformer.resblocks[-1].attn
    assert extras["q"].shape == extras["v"].shape == (1, 64, 2, 3)
    torch.testing.assert_close(rows(extras["k_out"]), attn.out_proj(rows(extras["k"])), **FEATURES)


def test_proxy_takes_its_affinity_with_the_images():
    backbone = CLIPViT(model=tiny(), attention="proxy", attention_options=dict(beta=0.0))
    picture = torch.randn(2, 3, 32, 48)
    alone = backbone(picture, affinity=torch.eye(6).expand(2, 6, 6).mul(100))
    torch.manual_seed(0)
    state = {f"visual.{name}": value for name, value in backbone.visual.state_dict().items()}
    identity = CLIPViT(model=tiny(), pretrained=state, attention="identity")(picture)
    torch.testing.assert_close(alone.dense, identity.dense, **FEATURES)


def test_padding_ways():
    state = {f"visual.{name}": value for name, value in CLIPViT(model=tiny()).visual.state_dict().items()}
    picture = torch.randn(1, 3, 40, 52)
    build = lambda padding: CLIPViT(model=tiny(), pretrained=state, padding=padding)  # noqa: E731
    whole = build("none")
    center = build("center")(picture)
    assert center.padding == (6, 4, 6, 4)
    padded = torch.nn.functional.pad(picture, (6, 6, 4, 4))
    torch.testing.assert_close(center.dense, whole(padded).dense, **FEATURES)
    corner = build("corner")(picture)
    padded = torch.nn.functional.pad(picture, (0, 12, 0, 8))
    torch.testing.assert_close(corner.dense, whole(padded).dense, **FEATURES)
    cut = whole(picture)
    assert cut.grid == (2, 3) and cut.padding == (0, 0, 0, 0)
    torch.testing.assert_close(cut.dense, whole(picture[..., :32, :48]).dense, **FEATURES)
    assert whole(picture[..., :9, :]).padding == (0, 0, 0, 7)


def test_frozen_keeps_no_graph_and_stays_in_evaluation():
    backbone = CLIPViT(model=tiny(patch_dropout=0.5))
    backbone.train()
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    image = torch.randn(1, 3, 32, 32, requires_grad=True)
    assert not backbone(image).dense.requires_grad
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.init_weights()
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_trainable():
    backbone = CLIPViT(model=tiny(), frozen=False, attention="qq", with_global=True)
    assert backbone.training
    features = backbone(torch.randn(1, 3, 50, 32))
    (features.dense.sum() + features.global_embedding.sum()).backward()
    assert backbone.visual.conv1.weight.grad.abs().sum() > 0
    assert backbone.visual.positional_embedding.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("attention", VARIANTS)
def test_low_precision(dtype, attention):
    backbone = CLIPViT(model=tiny(), attention=attention, with_global=True, capture=("k_out", "dense_cls"))
    picture = torch.randn(1, 3, 40, 40)
    full, low = backbone(picture).dense, backbone.to(dtype)(picture)
    assert low.dense.dtype == low.global_embedding.dtype == low.extras["k_out"].dtype == dtype
    cosine = torch.cosine_similarity(low.dense.float(), full, dim=1)
    assert cosine.min() > 0.99


def test_activation_and_epsilon():
    assert isinstance(CLIPViT(model=tiny(), act="gelu").visual.transformer.resblocks[0].mlp.gelu, torch.nn.GELU)
    quick = CLIPViT(model=tiny(quick_gelu=False), act="quickgelu").visual.transformer.resblocks[1].mlp.gelu
    assert quick(torch.tensor(1.0)) == pytest.approx(1 / (1 + 2.718281828**-1.702))
    norms = [x for x in CLIPViT(model=tiny(), ln_eps=0.5).modules() if isinstance(x, torch.nn.LayerNorm)]
    assert len(norms) == 8 and all(norm.eps == 0.5 for norm in norms)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(attention="qqq"), "attention must be one of"),
        (dict(position="cubic"), "position must be one of"),
        (dict(padding="same"), "padding must be one of"),
        (dict(capture=("keys",)), "can capture"),
        (dict(act="relu"), "act must be one of"),
        (dict(out_indices=(3,)), "blocks 0 to 2"),
        (dict(attention="gem", attention_options=dict(depth=5)), "depth of gem must be 2 to 4"),
    ],
)
def test_wrong_options_name_the_right_ones(options, message):
    with pytest.raises(ValueError, match=message):
        CLIPViT(model=tiny(), **options)


@pytest.mark.parametrize(
    ("vision", "message"),
    [
        (dict(pool_type="none"), "no image embedding"),
        (dict(attentional_pool="parallel", attn_pooler_heads=4), "untested"),
        (dict(patch_size=(16, 8)), "patches must be square"),
    ],
)
def test_refused_with_a_reason(vision, message):
    with pytest.raises(ValueError, match=message):
        CLIPViT(model=tiny(**vision))


def test_scaled_cosine_attention_is_refused_with_a_reason():
    with pytest.raises(ValueError, match="scaled-cosine"):
        CLIPViT(model=tiny(scaled_cosine_attn=True))(torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)]
)
def test_images_must_be_float_batches(images):
    with pytest.raises(ValueError, match=r"normalised float images \(B, 3, H, W\), got"):
        CLIPViT(model=tiny())(images)


def test_through_the_registry_and_the_embedded_model():
    backbone = MODELS.build(dict(type="CLIPBackbone", model="scenes", attention="value", residual=None))
    assert type(backbone) is CLIPViT
    assert (backbone.name, backbone.stride, backbone.embed_dim) == ("scenes", 8, 384)
    assert backbone.image_mean == pytest.approx(open_clip.OPENAI_DATASET_MEAN)
    assert backbone(torch.randn(1, 3, 40, 30)).dense.shape == (1, 384, 5, 4)
