"""The published training-free methods through the segmentor: a batch of non-square images is its images."""

import pytest
import torch

from ovdense.registry import MODELS

TINY = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=3, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)
METHODS = {
    "maskclip": (
        dict(attention="value", position="mmseg", capture=("k_out",)),
        dict(decode_head=dict(type="MaskCLIPHead", ks_thresh=0.9, pd_thresh=0.2, official_quirks=True)),
    ),
    "sclip": (dict(attention="qq+kk", padding="none"), {}),
    "clearclip": (dict(attention="qq", padding="center"), {}),
    "naclip": (
        dict(attention="kk+gaussian", padding="none"),
        dict(refine=dict(type="PAMR", num_iter=2, dilations=(2, 4))),
    ),
    "gem": (
        dict(attention="gem", position="gem", attention_options=dict(depth=3)),
        dict(decode_head=dict(type="PixelTextHead", normalize_maps=True)),
    ),
    "scclip": (
        dict(
            attention="scclip",
            padding="none",
            attention_options=dict(mid=1, post=0, levels=(0, 2), threshold=0.0, share=0.2, neighbours=4),
        ),
        {},
    ),
    "resclip": (
        dict(
            attention="resclip",
            padding="none",
            attention_options=dict(blocks=(0, 1)),
            capture=("block_input", "recorded", "images"),
        ),
        dict(decode_head=dict(type="ResCLIPHead", num_iter=2, dilations=(1, 2), label_threshold=0.2)),
    ),
}
MODES = {"whole": dict(mode="whole"), "slide": dict(mode="slide", crop_size=(64, 48), stride=(32, 40), window_batch=5)}

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")


def segmentor(method, mode):
    backbone, options = METHODS[method]
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="CLIPBackbone", model=TINY, **backbone),
            vocabulary=["background", "cat", "dog", "tree", "car"],
            class_embeddings=torch.randn(5, 24),
            test_cfg=dict(**MODES[mode], logit_scale=40.0, keep_logits=True),
            **{"decode_head": dict(type="PixelTextHead"), **options},
        )
    )


@pytest.mark.parametrize("size", [(80, 110), (64, 144), (131, 50)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", METHODS)
def test_a_batch_is_its_images(method, mode, size):
    model, images = segmentor(method, mode), torch.randn(3, 3, *size) * torch.tensor([0.3, 1, 3]).view(3, 1, 1, 1)
    metas = [dict(ori_shape=size), dict(ori_shape=(40, 97)), dict(ori_shape=(101, 33))]
    together = model.decode(model.encode(images, metas))
    for image, meta, sample in zip(images, metas, together):
        (alone,) = model.decode(model.encode(image[None], [meta]))
        logits = alone.seg_logits.data
        assert logits.shape == (5, *meta["ori_shape"]) and logits.std() > 1e-3
        torch.testing.assert_close(sample.seg_logits.data, logits, atol=1e-4, rtol=0)
        assert (sample.pred_sem_seg.data == alone.pred_sem_seg.data).float().mean() > 0.999
