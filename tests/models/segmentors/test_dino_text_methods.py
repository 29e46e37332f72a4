"""Talk2DINO and dino.txt through the segmentor: batches of non-square images, DINOv2's and DINOv3's leading tokens."""

import pytest
import torch

from ovdense.models.backbones import DINOBackbone
from ovdense.models.decode_heads.talk2dino_head import attention_logits
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TRUNKS = {"vit_small_patch14_reg4_dinov2": 14, "vit_small_patch16_dinov3": 16}
TINY = dict(depth=2, embed_dim=32, num_heads=2)
NAMES = ["cat", "dog", "tree", "sky", "grass"]
MODES = {
    "whole": dict(mode="whole"),
    "slide": dict(mode="slide", crop_size=(48, 64), stride=(32, 40)),
}


def segmentor(method, trunk, mode):
    torch.manual_seed(0)
    patch, settings = TRUNKS[trunk], dict(MODES[mode], keep_logits=True)
    if method == "dinotxt":
        backbone = dict(type="DINOTxtBackbone", model=trunk, trunk_pretrained=False, model_options=TINY)
        head, rows, refine = dict(type="PixelTextHead"), torch.randn(5, 32), None
        settings.update(window_softmax=True, logit_scale=5)
    else:
        backbone = dict(type="DINOBackbone", model=trunk, capture=("cls_logits",), model_options=TINY)
        backbone["input_size"] = 4 * patch
        head = dict(type="Talk2DINOHead", text_dim=24, image_dim=32, bg_clean=True)
        rows, refine = torch.randn(5, 24), dict(type="PAMR", num_iter=2, dilations=(1, 4))
        settings.update(window_align_corners=True)
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=backbone,
            decode_head=head,
            class_embeddings=dict(zip(NAMES, rows)),
            vocabulary=NAMES,
            refine=refine,
            test_cfg=settings,
        )
    )


@pytest.mark.parametrize("size", [(80, 110), (131, 50)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("method", ["talk2dino", "dinotxt"])
def test_a_batch_is_its_images(method, trunk, mode, size):
    model = segmentor(method, trunk, mode)
    images = torch.randn(3, 3, *size) * torch.tensor([0.3, 1, 3]).view(3, 1, 1, 1)
    metas = [dict(ori_shape=size), dict(ori_shape=(40, 97)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(images, metas))
    for image, meta, sample in zip(images, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        logits = alone.seg_logits.data
        assert logits.shape == (5, *meta["ori_shape"]) and logits.std() > 1e-5
        torch.testing.assert_close(sample.seg_logits.data, logits, atol=1e-5, rtol=0)
        assert (sample.pred_sem_seg.data == alone.pred_sem_seg.data).float().mean() > 0.99


@pytest.mark.parametrize("trunk", TRUNKS)
def test_the_class_tokens_logits_leave_the_registers_out(trunk):
    """q_cls * 0.125 times the keys of the patches alone, as the input projection gives them, before any rotation."""
    torch.manual_seed(0)
    backbone = DINOBackbone(model=trunk, capture=("cls_logits",), model_options=TINY)
    patch, seen = TRUNKS[trunk], []
    block = backbone.trunk.blocks[-1]
    block.norm1.register_forward_hook(lambda module, inputs, output: seen.append(output))
    features = backbone(torch.randn(2, 3, 3 * patch, 5 * patch))
    assert backbone.prefix == 5 and seen[0].shape == (2, 5 + 15, 32)
    with torch.no_grad():
        q, k = torch.nn.functional.linear(seen[0], block.attn.qkv.weight, _bias(block.attn)).chunk(3, -1)[:2]
    expected = torch.stack([0.125 * (k[..., i : i + 16] @ q[:, 0, i : i + 16, None])[:, 5:, 0] for i in (0, 16)], 1)
    torch.testing.assert_close(attention_logits(features), expected.unflatten(2, (3, 5)), atol=1e-5, rtol=1e-5)


def _bias(attn):
    if getattr(attn, "q_bias", None) is not None:
        return torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    return attn.qkv.bias
