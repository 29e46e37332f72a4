"""CorrCLIPBackbone on the embedded models; the official outputs are in tests/conformance."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.region_scope import region_members
from ovdense.models.backbones.corrclip import spatial_range
from ovdense.registry import MODELS

PROXY = dict(type="ovdense.DINOBackbone", model="scenes_dino")
SIZE = (56, 88)


def build(**options):
    return MODELS.build(dict(type="ovdense.CorrCLIPBackbone", model="scenes", proxy=PROXY, **options))


@pytest.fixture(scope="module")
def backbone():
    return build(capture=("regions", "tokens", "proxy"))


def pictures(count=2, size=SIZE):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def halves(size=SIZE):
    """(2, H, W): left and right half; three rows of regions and a rest."""
    first = torch.ones(size, dtype=torch.long)
    first[:, size[1] // 2 :] = 2
    second = torch.zeros(size, dtype=torch.long)
    for number, top in enumerate((0, 16, 32)):
        second[top : top + 16] = 300 + number
    return torch.stack([first, second])


def as_meta(ids):
    return [dict(region_ids=one.numpy()) for one in ids]


def test_a_batch_is_its_images(backbone):
    images, regions = pictures(), halves()
    together = backbone.encode(images, regions=regions)
    assert together.dense.shape == (2, 384, 7, 11)
    for index in range(2):
        one = slice(index, index + 1)
        alone = backbone.encode(images[one], regions=regions[one])
        torch.testing.assert_close(together.dense[one], alone.dense, atol=2e-5, rtol=1e-4)
        assert torch.equal(together.extras["regions"][one], alone.extras["regions"])


def test_class_tokens_of_regions_equal_a_masked_run_of_the_whole_sequence(backbone):
    """Against open_clip's own blocks, over class tokens and patches together, with one mask for all."""
    backbone = deepcopy(backbone).double()
    images, clip = pictures(1).double(), backbone.clip
    with torch.no_grad():
        x, grid, rope = clip.embed(images)
        members, _ = region_members(torch.randint(0, 3, (1, *grid)))
        *_, copies = backbone.run_clip(x, grid, rope, members)
        count, length = members.shape[1], x.shape[1]
        seen = torch.zeros(count + length, count + length, dtype=torch.bool)
        seen[count:, count:] = seen[:count, count] = True
        seen[:count, count + 1 :] = members[0]
        bias = torch.zeros(seen.shape, dtype=x.dtype).masked_fill(~seen, float("-inf"))
        every = torch.cat([x[:, :1].expand(-1, count, -1), x], dim=1)
        for block in clip.blocks():
            every = block(every, attn_mask=bias)
    torch.testing.assert_close(copies, every[:, :count], atol=1e-9, rtol=1e-9)


def test_nothing_passes_between_regions_in_the_main_branch(backbone):
    """With features that look nothing alike, values of the right half do not reach the left."""
    regions = halves()[:1]
    proxy = torch.zeros(1, 4, 7, 11)
    proxy[:, 0, :, :6], proxy[:, 1, :, 6:] = 1, 1
    tokens = backbone.encode(pictures(1), proxy_maps=proxy, regions=regions).extras["tokens"]
    assert torch.allclose(tokens[..., :5], tokens[..., :1, :1].expand_as(tokens[..., :5]), atol=1e-5)
    assert not torch.allclose(tokens[..., :5], tokens[..., 6:], atol=1e-2)


def test_branches_add_up():
    images, regions = pictures(), halves()
    dense = {}
    for spatial, semantic in ((0, 0), (1, 0), (0, 1), (2, 3)):
        model = build(spatial_weight=spatial, semantic_weight=semantic)
        dense[spatial, semantic] = model.encode(images, regions=regions).dense
    main = dense[0, 0]
    expected = main + 2 * (dense[1, 0] - main) + 3 * (dense[0, 1] - main)
    torch.testing.assert_close(dense[2, 3], expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(dense[1, 0], main, atol=1e-2) and not torch.allclose(dense[0, 1], main, atol=1e-2)


def test_residual_and_mlp_of_tokens_that_keep_their_values_are_maskclip():
    """Every cell a region of its own: nothing is averaged, and the last block is that of attention="value"."""
    model = build(spatial_weight=0, semantic_weight=0, merge_eps=None, residual=True, mlp=True)
    regions = (torch.arange(7)[:, None] * 11 + torch.arange(11) + 1).repeat_interleave(8, 0).repeat_interleave(8, 1)
    plain = MODELS.build(dict(type="ovdense.CLIPBackbone", model="scenes", attention="value"))
    images = pictures(1)
    actual = model.encode(images, regions=regions[None]).dense
    torch.testing.assert_close(actual, plain(images).dense, atol=2e-5, rtol=1e-4)


def test_the_global_embedding_is_the_models_own():
    plain = MODELS.build(dict(type="ovdense.CLIPBackbone", model="scenes", with_global=True))
    expected = plain(pictures()).global_embedding
    actual = build(with_global=True).encode(pictures(), regions=halves()).global_embedding
    torch.testing.assert_close(actual, expected, atol=2e-5, rtol=1e-4)


def test_windows_bring_their_part_of_the_map_and_padding(backbone):
    images, boxes = pictures(1, (50, 70)), [(0, 0, 45, 50), (25, 0, 70, 50)]
    ids = torch.arange(50 * 70).view(50, 70) + 1
    regions = backbone.window_inputs(images, as_meta(ids[None]), boxes)["regions"]
    assert regions.shape == (2, 56, 48)
    assert torch.equal(regions[:, 3:53, 1:46], torch.stack([ids[:, :45], ids[:, 25:]]))
    assert (F.pad(regions[:, 3:53, 1:46] * 0, (1, 2, 3, 3), value=-1) == regions.clamp(max=0)).all()


def test_maps_of_the_proxy_can_come_from_the_whole_picture():
    """One window that is the whole picture: both ways are the same."""
    images, metas, boxes = pictures(1), as_meta(halves()[:1]), [(0, 0, SIZE[1], SIZE[0])]
    dense = []
    for scope in ("window", "image"):
        model = build(proxy_scope=scope)
        dense.append(model(images, **model.window_inputs(images, metas, boxes)).dense)
    torch.testing.assert_close(*dense, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("count", "blocks"), [(12, (5, 9)), (24, (10, 21)), (32, (2, 29)), (16, (2, 13)), (5, (2, 2)), (3, (0, 0))]
)
def test_blocks_of_the_spatial_branch(count, blocks):
    assert (spatial_range(count)[0], spatial_range(count)[-1]) == blocks


def test_a_model_of_timm_runs():
    vision = dict(timm_model_name="eva02_tiny_patch14_224", timm_model_pretrained=False, timm_pool="token")
    vision.update(timm_proj=None, image_size=56)
    config = dict(embed_dim=192, vision_cfg=vision)
    config["text_cfg"] = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)
    with pytest.warns(UserWarning, match="random"):
        model = MODELS.build(dict(type="ovdense.CorrCLIPBackbone", model=config, proxy=PROXY, pad_to=56))
    features = model(pictures(1, (56, 112)), regions=halves((56, 112))[:1])
    assert features.dense.shape == (1, 192, 7, 14) and features.dense.isfinite().all()


def test_what_cannot_be_is_refused(backbone):
    with pytest.raises(ValueError, match=r"takes region masks.*LoadRegionMasks"):
        backbone(pictures())
    with pytest.raises(ValueError, match=r"do not fit images"):
        backbone.encode(pictures(), regions=halves((8, 8)))
    with pytest.raises(ValueError, match=r"no region masks came with a.jpg.*regions=dict"):
        backbone.window_inputs(pictures(1), [dict(img_path="a.jpg")], [(0, 0, 88, 56)])
    with pytest.raises(ValueError, match="2 images came with region masks for 0"):
        backbone.window_inputs(pictures(), [], [])
    with pytest.raises(ValueError, match=r"map .H, W. of integers, got float64"):
        backbone.window_inputs(pictures(1), as_meta(halves()[:1].double()), [(0, 0, 88, 56)])
    with pytest.raises(ValueError, match="spatial_blocks must name blocks 0 to 3"):
        build(spatial_blocks=(4,))
    with pytest.raises(ValueError, match="sampling must be one of"):
        build(sampling="mean")
    with pytest.raises(TypeError, match="is a CLIPResNet"):
        MODELS.build(dict(type="ovdense.CorrCLIPBackbone", model="RN50", proxy=PROXY))
