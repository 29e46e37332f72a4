"""SAMBackbone: official checkpoints load, the padding is left out, and the folded attention is the block's own."""

import pytest
import torch
from safetensors.torch import save_file

from ovdense.models.backbones import SAMBackbone
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TINY = dict(
    img_size=64, patch_size=8, embed_dim=16, depth=2, num_heads=2, neck_chans=8, window_size=3, global_attn_indexes=(1,)
)
CLOSE = dict(atol=2e-5, rtol=2e-5)


def build(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type="SAMBackbone", model_options=TINY, **options))


def shaken(backbone):
    """Random positions too, which start at zero."""
    for name, parameter in backbone.named_parameters():
        if "pos" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return backbone


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_an_official_checkpoint_loads(tmp_path, ending):
    """Its image encoder is taken, and what belongs to prompts and masks is left."""
    source = shaken(build())
    official = {
        "image_encoder." + name.replace("mlp.fc", "mlp.lin"): tensor.contiguous()
        for name, tensor in source.trunk.state_dict().items()
    }
    official["mask_decoder.iou_token.weight"] = torch.zeros(1, 4)
    official["prompt_encoder.no_mask_embed.weight"] = torch.zeros(1, 4)
    path = tmp_path / f"sam.{ending}"
    (torch.save if ending == "pth" else save_file)(official, path)
    loaded, images = build(pretrained=str(path)), torch.randn(1, 3, 64, 40)
    torch.testing.assert_close(loaded(images).maps[0], source(images).maps[0])
    assert loaded.trunk.blocks[0].norm1.eps == 1e-6


def test_the_map_covers_the_picture_and_not_the_padding():
    backbone = shaken(build())
    images = torch.randn(2, 3, 40, 64)
    features = backbone(images)
    assert features.grid == (5, 8) and features.dense is None and features.maps[0].shape[1] == 8 == backbone.embed_dim
    square = torch.zeros(2, 3, 64, 64)
    square[:, :, :40] = images
    torch.testing.assert_close(features.maps[0], backbone(square).maps[0][:, :, :5], **CLOSE)
    torch.testing.assert_close(features.maps[0][1:], backbone(images[1:]).maps[0], **CLOSE)


def test_the_folded_attention_is_that_of_the_last_block():
    """Attention times values, projected, is what timm's attention gives, relative positions and all."""
    backbone, images = shaken(build()), torch.randn(2, 3, 64, 64)
    seen = []
    attn = backbone.trunk.blocks[-1].attn
    attn.register_forward_hook(lambda module, inputs, output: seen.append(output))
    backbone(images)
    attention = backbone.patch_attention(images)
    assert attention.grid == (8, 8) and attention.values.shape == (2, 2, 64, 8)
    context = attention.rows(slice(None)) @ attention.values
    expected = attn.proj(context.transpose(1, 2).flatten(2)).unflatten(1, (8, 8))
    torch.testing.assert_close(expected, seen[0], **CLOSE)


def test_padding_is_attended_to_but_not_among_the_patches():
    backbone = shaken(build())
    attention = backbone.patch_attention(torch.randn(1, 3, 64, 40))
    assert attention.grid == (8, 5) and attention.keys.shape[2] == 64
    assert attention.places[:7].tolist() == [0, 1, 2, 3, 4, 8, 9]
    rows = attention.rows(slice(3, 5))
    assert rows.shape == (1, 2, 2, 40) and bool((rows.sum(-1) < 0.99).all())


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="sees 64 x 64 pixels, got 64 x 72"):
        build()(torch.randn(1, 3, 64, 72))
    with pytest.raises(ValueError, match="no class token"):
        build(with_global=True)
    with pytest.raises(ValueError, match=r"VisionTransformerSAM, got 'vit_small_patch8_224\.dino'"):
        SAMBackbone(model="vit_small_patch8_224.dino", model_options=dict(norm_layer=None))
    windowed = SAMBackbone(model_options=dict(TINY, global_attn_indexes=()))
    with pytest.raises(ValueError, match="attends in windows"):
        windowed.patch_attention(torch.randn(1, 3, 64, 64))
