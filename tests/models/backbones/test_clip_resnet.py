"""CLIPResNet against the official MaskCLIP and CLIP outputs, and its own promises."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from ovdense.models.backbones import CLIPResNet
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
OFFICIAL = Path(__file__).parents[2] / "data" / "official" / "maskclip_resnet"
TINY = dict(embed_dim=32, vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8))
DEEP = dict(embed_dim=32, vision_cfg=dict(image_size=64, layers=[1, 2, 3, 2], width=8))
STRIDE8 = dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
FEATURES = dict(atol=2e-5, rtol=2e-5)


def official_backbone(**options):
    return CLIPResNet(model=TINY, pretrained=OFFICIAL / "weights.safetensors", **options)


@pytest.fixture(scope="module")
def official():
    return load_file(OFFICIAL / "io.safetensors")


def cosines(dense, text):
    return torch.einsum("bchw,kc->bkhw", F.normalize(dense, dim=1), text)


@pytest.mark.parametrize(("key", "options"), [("s32", {}), ("s8", STRIDE8)])
def test_official_value_path_and_pool(official, key, options):
    backbone = official_backbone(capture=("layer4", "k"), **options)
    pool = official_backbone(attention="vanilla", **options)
    assert backbone.stride == int(key[1:])
    names = [name for name in ("a", "b", "sq") if f"img_{name}" in official]
    assert names
    for name in names:
        image, prefix = official[f"img_{name}"], f"{name}/{key}"
        features = backbone(image)
        torch.testing.assert_close(features.extras["layer4"], official[f"{prefix}_layer4"], **FEATURES)
        torch.testing.assert_close(features.dense, official[f"{prefix}_feat"], **FEATURES)
        text = official["text"]
        torch.testing.assert_close(cosines(features.dense, text), official[f"{prefix}_out_v"], **FEATURES)
        torch.testing.assert_close(cosines(pool(image).dense, text), official[f"{prefix}_out_pool"], **FEATURES)
        keys = backbone.visual.attnpool.k_proj(features.extras["layer4"].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(features.extras["k"], keys, **FEATURES)


def test_official_image_embedding(official):
    if "img_sq" not in official:
        pytest.skip("the official outputs hold no square image")
    features = official_backbone(with_global=True)(official["img_sq"])
    torch.testing.assert_close(features.global_embedding, official["sq/clip_image_embedding"], **FEATURES)


def test_image_embedding_is_open_clips_at_its_size_and_defined_at_others():
    backbone = CLIPResNet(model=DEEP, with_global=True)
    picture = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(backbone(picture).global_embedding, backbone.visual(picture), **FEATURES)
    assert backbone(torch.randn(1, 3, 100, 70)).global_embedding.isfinite().all()


@pytest.mark.parametrize("attention", ["value", "vanilla", "qq", "kk+gaussian"])
@pytest.mark.parametrize("options", [{}, STRIDE8, dict(position="sclip")], ids=["s32", "s8", "position"])
def test_batch_equals_single_images_at_any_size(attention, options):
    backbone = CLIPResNet(
        model=DEEP, attention=attention, with_global=True, capture=("attention", "dense_cls"), **options
    )
    pictures = torch.randn(2, 3, 50, 100)
    batch = backbone(pictures)
    stride = backbone.stride
    assert batch.grid == (-(-50 // stride), -(-100 // stride))
    assert [x.shape[1] for x in batch.maps] == [32, 64, 128, 256]
    assert batch.maps[0].shape[-1] * 4 == 100 + batch.padding[2]
    tokens = 1 + batch.grid[0] * batch.grid[1]
    assert batch.extras["attention"].shape[-2:] == (tokens, tokens)
    for index in range(2):
        single = backbone(pictures[index : index + 1])
        torch.testing.assert_close(single.dense, batch[index].dense, **FEATURES)
        torch.testing.assert_close(single.global_embedding, batch[index].global_embedding, **FEATURES)


def test_dilated_trunk_sees_what_the_strided_one_sees():
    """Where a strided trunk has a position, the dilated one has the same stage-2 map; deeper stages are denser."""
    torch.manual_seed(0)
    plain = CLIPResNet(model=DEEP)
    state = {f"visual.{name}": value for name, value in plain.visual.state_dict().items()}
    dilated = CLIPResNet(model=DEEP, pretrained=state, **STRIDE8)
    picture = torch.randn(1, 3, 64, 96)
    coarse, fine = plain(picture), dilated(picture)
    torch.testing.assert_close(coarse.maps[1], fine.maps[1])
    assert coarse.grid == (2, 3) and fine.grid == (8, 12)
    dilations = [[block.conv2.dilation[0] for block in stage] for stage in dilated._stages()]
    assert dilations == [[1], [1, 1], [1, 2, 2], [2, 4]]


def test_dilation_without_contraction():
    backbone = CLIPResNet(model=DEEP, contract_dilation=False, **STRIDE8)
    assert [block.conv2.dilation[0] for block in backbone.visual.layer4] == [4, 4]


def test_position_table_matters_only_when_asked():
    torch.manual_seed(0)
    first = CLIPResNet(model=TINY)
    state = {f"visual.{name}": value for name, value in first.visual.state_dict().items()}
    picture = torch.randn(1, 3, 64, 64)
    plain = CLIPResNet(model=TINY, pretrained=state)(picture).dense
    torch.testing.assert_close(plain, first(picture).dense)
    placed = CLIPResNet(model=TINY, pretrained=state, position="mmseg")(picture).dense
    assert (placed - plain).abs().max() > 1e-3


def test_smallest_images_and_padding_none():
    assert CLIPResNet(model=TINY)(torch.randn(1, 3, 1, 1)).grid == (1, 1)
    assert CLIPResNet(model=TINY, padding="none")(torch.randn(1, 3, 70, 20)).grid == (2, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision(dtype):
    backbone = CLIPResNet(model=TINY, with_global=True)
    picture = torch.randn(1, 3, 64, 64)
    full = backbone(picture)
    low = backbone.to(dtype)(picture)
    assert low.dense.dtype == low.global_embedding.dtype == dtype
    assert torch.cosine_similarity(low.dense.float(), full.dense, dim=1).min() > 0.99


def test_dispatch_and_wrong_options():
    assert isinstance(MODELS.build(dict(type="CLIPBackbone", model=TINY, attention="value")), CLIPResNet)
    with pytest.raises(TypeError, match=r"CLIPResNet, which has the options.*got mlp"):
        MODELS.build(dict(type="CLIPBackbone", model=TINY, mlp=False))
    with pytest.raises(ValueError, match="one attention layer"):
        CLIPResNet(model=TINY, attention="gem")
    with pytest.raises(ValueError, match="position must be None or one of"):
        CLIPResNet(model=TINY, position="cubic")
    with pytest.raises(ValueError, match="4 stages"):
        CLIPResNet(model=TINY, strides=(1, 2, 1))
    with pytest.raises(ValueError, match="first stage"):
        CLIPResNet(model=TINY, strides=(2, 2, 1, 1))
