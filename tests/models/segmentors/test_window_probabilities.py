"""Softmax in each window, against the plain way: upsample, softmax, add, divide by the count, resize."""

import pytest
import torch
import torch.nn.functional as F

from ovdense.functional.windows import window_boxes
from ovdense.models.segmentors import TestSettings
from ovdense.registry import MODELS

pytestmark = pytest.mark.filterwarnings("ignore:no pretrained weights")
TINY = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=64, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=1),
)
NAMES = [f"class {index}" for index in range(20)]


def segmentor(**test_cfg):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="CLIPBackbone", model=TINY, attention="value", padding="center"),
            decode_head=dict(type="PixelTextHead"),
            class_embeddings={name: torch.randn(24) for name in NAMES},
            vocabulary=NAMES,
            test_cfg=dict(window_softmax=True, logit_scale=7.0, **test_cfg),
        )
    )


def plain(model, image, crop, stride, out):
    """(S,H,W) probabilities, window by window."""
    height, width = image.shape[-2:]
    total, count = torch.zeros(len(NAMES), height, width), torch.zeros(height, width)
    for x1, y1, x2, y2 in window_boxes((height, width), crop, stride):
        features = model.backbone(image[None, :, y1:y2, x1:x2])
        cosines = model.decode_head(features, model.class_embeddings.rows)
        left, top, right, bottom = features.padding
        size = (y2 - y1 + top + bottom, x2 - x1 + left + right)
        maps = F.interpolate(cosines, size=size, mode="bilinear")[0, :, top : top + y2 - y1, left : left + x2 - x1]
        total[:, y1:y2, x1:x2] += (maps * 7.0).softmax(0)
        count[y1:y2, x1:x2] += 1
    return F.interpolate((total / count)[None], size=out, mode="bilinear")[0]


@pytest.mark.parametrize("mode", ["whole", "slide"])
def test_probabilities_are_those_of_the_windows_averaged(mode):
    crop, stride = ((50, 70), (30, 40)) if mode == "slide" else ((90, 110), (90, 110))
    settings = dict(mode="slide", crop_size=crop, stride=stride) if mode == "slide" else dict(mode="whole")
    model = segmentor(return_prob=True, keep_logits=True, **settings)
    images, out = torch.randn(2, 3, 90, 110), (60, 77)
    for image, sample in zip(images, model.decode(model.encode(images, [dict(ori_shape=out)] * 2))):
        expected = plain(model, image, crop, stride, out)
        torch.testing.assert_close(sample.seg_logits.data, expected, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(sample.seg_prob.data[0], expected.max(0).values, atol=1e-6, rtol=1e-5)
        assert (sample.pred_sem_seg.data[0] == expected.argmax(0)).float().mean() > 0.999
    torch.testing.assert_close(expected.sum(0), torch.ones(out), atol=1e-5, rtol=0)


def test_labels_alone_are_the_same_and_flips_are_undone():
    model, image = segmentor(mode="slide", crop_size=48, stride=32), torch.randn(1, 3, 80, 96)
    labels = model.predict(image)[0].pred_sem_seg.data[0]
    assert (labels == plain(model, image[0], 48, 32, (80, 96)).argmax(0)).float().mean() > 0.999
    meta = dict(flip=True, flip_direction="horizontal")
    mirrored = model.decode(model.encode(image, [meta]))[0].pred_sem_seg.data[0]
    assert (mirrored.flip(-1) == labels).float().mean() > 0.999


def test_direct_resize_is_refused():
    with pytest.raises(ValueError, match="goes with resize='two_step', got 'direct'"):
        TestSettings(window_softmax=True, resize="direct")
