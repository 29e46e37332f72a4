import pytest
import torch
import torch.nn.functional as F

from ovdense.models.decode_heads import MaskCLIPHead, PixelTextHead
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures


def features(batch=2, channels=8, grid=(3, 4), **kwargs):
    torch.manual_seed(0)
    return DenseFeatures(dense=torch.randn(batch, channels, *grid), stride=16, **kwargs)


@pytest.mark.parametrize("classes", [1, 5, 10_000])
def test_cosines_of_any_number_of_phrases(classes):
    head = MODELS.build(dict(type="PixelTextHead"))
    given, rows = features(), torch.randn(classes, 8)
    logits = head(given, rows)
    assert logits.shape == (2, classes, 3, 4)
    assert not head.gives_probability
    expected = F.cosine_similarity(given.dense[1, :, 2, 3][None], rows)
    torch.testing.assert_close(logits[1, :, 2, 3], expected)


def test_maps_are_stretched_by_their_extremes_at_full_size():
    head, rows = PixelTextHead(normalize_maps=True), torch.randn(20, 8)
    given = features(image_size=(40, 60), padding=(1, 3, 3, 5))
    full = F.interpolate(head(given, rows), size=(48, 64), mode="bilinear")[..., 3:43, 1:61].flatten(2)
    torch.testing.assert_close(full.amin(2), torch.zeros(2, 20), atol=1e-6, rtol=0)
    torch.testing.assert_close(full.amax(2), torch.ones(2, 20), atol=1e-6, rtol=0)


def test_maskclip_head_without_options_is_the_plain_head():
    rows = torch.randn(5, 8)
    assert torch.equal(MaskCLIPHead()(features(), rows), PixelTextHead()(features(), rows))


def test_maskclip_head_denoises_each_image_by_itself():
    rows, given = torch.randn(50, 8), features()
    head = MaskCLIPHead(pd_thresh=0.5)
    assert torch.equal(head(given, rows)[1:], head(given[1], rows))
    assert (head(given, rows) == -100).any()


def test_maskclip_head_smooths_with_the_keys():
    rows, keys = torch.randn(5, 8), torch.randn(2, 6, 3, 4)
    head = MaskCLIPHead(ks_thresh=1.0)
    smoothed = head(features(extras={"k": keys}), rows)
    torch.testing.assert_close(smoothed.sum(1), torch.ones(2, 3, 4))
    assert head.gives_probability and not MaskCLIPHead().gives_probability
    assert torch.equal(head(features(extras={"k_out": keys, "k": keys + 1}), rows), smoothed)
    with pytest.raises(ValueError, match=r"capture=\('k_out',\).* gave no extra maps"):
        head(features(), rows)
