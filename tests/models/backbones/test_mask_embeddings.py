"""What frozen CLIP towers say of masks: the heads of ConvNeXt and ResNet, empty masks, batches."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.mask_pooling import masks_on_grid, pool_masks
from ovdense.models.backbones import CLIPBackbone

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TEXT = dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1)


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    vision = dict(image_size=64, layers=[1, 1, 1, 1], width=16, head_width=16, patch_size=None)
    return CLIPBackbone(model=dict(embed_dim=24, vision_cfg=vision, text_cfg=TEXT))


def masks_of(batch=2, size=(6, 10)):
    masks = torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(1))
    masks[0, 2] = -1.0  # owns nothing
    return masks


def test_a_resnets_mean_token_attends_to_the_cells_of_each_mask(resnet):
    """The official way: multi-head attention with one query a mask and the other cells masked out."""
    features = resnet(torch.randn(2, 3, 96, 160))
    ours = resnet.embed_masks(features, masks_of())
    x, pool = features.maps[-1], resnet.visual.attnpool
    table = pool.positional_embedding
    side = int((len(table) - 1) ** 0.5)
    grid = F.interpolate(table[1:].T.reshape(1, -1, side, side), x.shape[-2:], mode="bilinear")
    keys = (x + grid).flatten(2).permute(2, 0, 1)
    queries = (x.flatten(2).mean(2)[None] + table[:1, None]).repeat(3, 1, 1)
    blocked = ~masks_on_grid(masks_of(), tuple(x.shape[-2:])).flatten(2)
    blocked[0, 2] = False
    expected = F.multi_head_attention_forward(
        query=queries,
        key=keys,
        value=keys,
        embed_dim_to_check=x.shape[1],
        num_heads=pool.num_heads,
        in_proj_weight=None,
        in_proj_bias=torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]),
        q_proj_weight=pool.q_proj.weight,
        k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=pool.c_proj.weight,
        out_proj_bias=pool.c_proj.bias,
        use_separate_proj_weight=True,
        training=False,
        need_weights=False,
        attn_mask=blocked.repeat_interleave(pool.num_heads, 0),
    )[0].permute(1, 0, 2)
    assert torch.allclose(ours, expected, atol=1e-5) and ours.isfinite().all()
    assert resnet.pooling_needs_pixels


def test_pictures_of_a_batch_do_not_mix(resnet):
    images, masks = torch.randn(2, 3, 64, 128), masks_of()
    together = resnet.embed_masks(resnet(images), masks)
    for index in range(2):
        alone = resnet.embed_masks(resnet(images[index : index + 1]), masks[index : index + 1])
        assert torch.allclose(together[index], alone[0], atol=1e-5)


def test_a_convnext_sends_the_mean_of_its_last_map_through_its_head():
    torch.manual_seed(0)
    vision = dict(timm_model_name="convnext_atto", timm_pool="", timm_proj="linear", image_size=64)
    backbone = CLIPBackbone(model=dict(embed_dim=24, vision_cfg=vision, text_cfg=TEXT))
    features = backbone(torch.randn(1, 3, 64, 96))
    everything = torch.ones(1, 1, 2, 3)
    pooled = pool_masks(features.maps[-1], everything)
    assert torch.allclose(pooled[0, 0], features.maps[-1].mean((0, 2, 3)), atol=1e-6)
    whole = backbone.visual.head(backbone.visual.trunk.forward_head(features.maps[-1]))
    assert torch.allclose(backbone.embed_masks(features, everything)[0], whole, atol=1e-5)
    assert not backbone.pooling_needs_pixels
    one = torch.full((1, 1, 2, 3), -1.0)
    one[..., 1, 2] = 1.0
    assert torch.allclose(backbone.embed_masks(features, one)[0, 0], features.dense[0, :, 1, 2], atol=1e-5)
