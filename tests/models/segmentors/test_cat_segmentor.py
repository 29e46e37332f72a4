"""CAT-Seg's way of testing: the published protocol, written out, gives the same; any picture and vocabulary."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.structures import SegDataSample
from torch.utils._python_dispatch import TorchDispatchMode

from ovdense.models.segmentors.label_decoder import class_probabilities
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

ROOT = Path(__file__).resolve().parents[3]
CROP, STRIDE = 96, 64


def segmentor(names="scenes-48", pad_len=64, **options):
    """The tiny model with a head of large random weights, so that its logits spread."""
    torch.manual_seed(0)
    config = Config.fromfile(ROOT / "configs" / "_base_" / "models" / "cat-seg_scenes.py").model
    config.update(whole_view=True, test_cfg=dict(mode="slide", crop_size=CROP, stride=STRIDE), **options)
    config.decode_head.pad_len = pad_len
    if isinstance(names, int):  # so many random rows
        rows = F.normalize(torch.randn(names, 384), dim=-1)
        vocabulary = Vocabulary.parse([f"thing {index}" for index in range(names)])
        config.class_embeddings, config.text_encoder = ClassEmbeddings(rows, torch.arange(names), vocabulary, ""), None
    else:
        config.vocabulary = names
    model = MODELS.build(config).eval()
    for parameter in model.decode_head.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=1.5 * parameter[0].numel() ** -0.5)
    return model


@torch.no_grad()
def written_out(model, picture, canvas, window):
    """(S,H,W) probabilities of one picture (3,H,W), step by step as the paper's protocol has them."""
    total, count = torch.zeros(1, 1, *canvas), torch.zeros(canvas)
    whole = F.interpolate(picture[None], canvas, mode="bilinear")

    def probabilities(view):
        view = F.interpolate(view, window, mode="bilinear")
        logits = model.decode_head(model.backbone(view), model.class_embeddings.rows)
        return F.interpolate(logits, (CROP, CROP), mode="bilinear").sigmoid()

    for top in range(0, canvas[0] - CROP + 1, STRIDE):
        for left in range(0, canvas[1] - CROP + 1, STRIDE):
            part = probabilities(whole[..., top : top + CROP, left : left + CROP])
            total = total + F.pad(part, (left, canvas[1] - left - CROP, top, canvas[0] - top - CROP))
            count[top : top + CROP, left : left + CROP] += 1
    view = probabilities(F.interpolate(picture[None], (CROP, CROP), mode="bilinear"))
    mean = (total / count + F.interpolate(view, canvas, mode="bilinear")) / 2
    return F.interpolate(mean, picture.shape[1:], mode="bilinear")[0]


@torch.no_grad()
@pytest.mark.parametrize("window", [(96, 96), (72, 72)], ids=["as it is", "read smaller, as ViT-L does"])
@pytest.mark.parametrize("pad_len", [64, 32], ids=["all phrases", "16 are dropped"])
def test_probabilities_are_those_of_the_protocol(window, pad_len):
    model = segmentor(pad_len=pad_len, canvas=(160, 160), input_size=window)
    model._every_phrase = True
    pictures = torch.randn(2, 3, 100, 140, generator=torch.Generator().manual_seed(1))
    encoded = model.encode(pictures)
    for index, picture in enumerate(pictures):
        found = class_probabilities(model.window_logits(encoded[index]), model.label_rules())
        expected = written_out(model, picture, (160, 160), window)
        assert expected.max() - expected.min() > 0.3
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


@torch.no_grad()
def test_padding_of_the_preprocessor_changes_nothing():
    model = segmentor(canvas=(160, 160))
    picture = torch.randn(1, 3, 100, 140, generator=torch.Generator().manual_seed(1))
    meta = dict(img_padding_size=(0, 20, 0, 28), ori_shape=(50, 70))
    alone = model.window_logits(model.encode(picture, [dict(ori_shape=(50, 70))])[0]).full()
    padded = model.window_logits(model.encode(F.pad(picture, (0, 20, 0, 28)), [meta])[0]).full()
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=0)
    assert alone.shape == (48, 50, 70)


class Largest(TorchDispatchMode):
    """Counts the numbers of the largest tensor that an operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided and not tensor.is_mkldnn:
                real = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.numbers = max(self.numbers, min(real, tensor.numel()))
        return out


@pytest.mark.parametrize("names", [1, 10000])
def test_one_name_and_ten_thousand(names):
    model = segmentor(names, pad_len=16, canvas=(160, 160))
    pictures = torch.randn(2, 3, 64, 112, generator=torch.Generator().manual_seed(1))
    with Largest() as largest:
        results = model.predict(pictures, [SegDataSample(metainfo=dict(ori_shape=(64, 112))) for _ in pictures])
    assert [tuple(one.pred_sem_seg.data.shape) for one in results] == [(1, 64, 112)] * 2
    # The rows of the names, or the aggregation of what was kept; a map of each name would be 71,680,000.
    assert largest.numbers <= max(names * 384, 3_000_000)
    for picture, result in zip(pictures, results):
        model._every_phrase = names < 100
        logits = model.window_logits(model.encode(picture[None])[0])
        labels = logits.class_index[logits.full().argmax(0)]
        assert (labels == result.pred_sem_seg.data[0]).float().mean() > 0.999
