"""The guided filter inside the segmentor, on a picture of two colours whose answer is known."""

import pytest
import torch
from mmengine.model import BaseModule

from ovdense.models.segmentors.refinement import GuidedFilter, build_refinement
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures

SIZE, EDGE = 64, 40  # the colour changes inside a 16-pixel cell, at 2.5 cells
FLAT = dict(type="GuidedFilter", radius=0.2, eps=0.001)


@MODELS.register_module(force=True)
class HalvesBackbone(BaseModule):
    """Cells of 16 pixels: the first name up to the middle of the edge's cell, the second beyond it."""

    embed_dim, stride, space = 2, 16, None
    image_mean, image_std = (0.5,) * 3, (0.5,) * 3

    def forward(self, images):
        first = torch.tensor([1.0, 1.0, 0.6, 0.0]).expand(len(images), 4, 4)
        return DenseFeatures(
            dense=torch.stack([first, 1 - first], dim=1), stride=16, image_size=tuple(images.shape[-2:])
        )


def picture():
    image = torch.full((1, 3, SIZE, SIZE), -1.0)
    image[..., EDGE:] = 1.0
    return image


def segmentor(refine=None, **test_cfg):
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=dict(type="HalvesBackbone"),
            decode_head=dict(type="PixelTextHead"),
            vocabulary=["left", "right"],
            class_embeddings=torch.eye(2),
            refine=refine,
            test_cfg=dict(logit_scale=10.0, resize="direct", **test_cfg),
        )
    )


def labels(model):
    (sample,) = model.decode(model.encode(picture()))
    return sample.pred_sem_seg.data[0]


def test_labels_end_where_the_colour_ends():
    expected = torch.zeros(SIZE, SIZE, dtype=torch.uint8)
    expected[:, EDGE:] = 1
    plain, refined = labels(segmentor()), labels(segmentor(FLAT))
    assert (plain != expected).any()
    assert torch.equal(refined, expected)


def test_large_pictures_are_not_refined():
    model = segmentor(dict(FLAT, max_pixels=SIZE * SIZE - 1))
    assert torch.equal(labels(model), labels(segmentor()))


def test_a_flat_picture_is_a_guide_too():
    refine = GuidedFilter().bind(torch.zeros(1, 3, 20, 30))
    torch.testing.assert_close(refine(torch.full((2, 20, 30), 0.25)), torch.full((2, 20, 30), 0.25))


def test_unknown_refinements_name_the_known():
    with pytest.raises(ValueError, match=r"\['GuidedFilter', 'PAMR', 'PixelPropagation', 'SAMPrompts'\], got 'CRF'"):
        build_refinement(dict(type="CRF"))


@pytest.mark.parametrize("contrast", [0.3, 1.0])
def test_contrast_takes_the_mean_of_each_name_off(contrast):
    model = segmentor(contrast=contrast)
    plain, grids = segmentor(), model.window_logits(model.encode(picture())[0]).grids
    before = plain.window_logits(plain.encode(picture())[0]).grids
    expected = before - contrast * before.mean((1, 2), keepdim=True)
    torch.testing.assert_close(grids, expected)


def test_small_regions_vanish():
    kept, dropped = labels(segmentor()), labels(segmentor(min_region=0.45))
    assert set(kept.unique().tolist()) == {0, 1}
    assert dropped.unique().tolist() == [0]


@pytest.mark.parametrize(
    ("settings", "message"), [(dict(contrast=1.5), "from 0 to 1, got 1.5"), (dict(min_region=1.0), "below 1, got 1.0")]
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        segmentor(**settings)
