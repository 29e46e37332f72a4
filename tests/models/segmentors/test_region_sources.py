"""Region maps through the segmentor: found, carried, used by CorrCLIP, and voted in."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import nn

from ovdense.models.region_ids import to_input, to_original
from ovdense.registry import MODELS

CORRCLIP = dict(
    type="CorrCLIPBackbone",
    model="scenes",
    proxy=dict(type="DINOBackbone", model="scenes_dino"),
)
SLIDE = dict(mode="slide", crop_size=(40, 48), stride=(24, 32), window_batch=3)


@MODELS.register_module(force=True)
class TwoSquares(nn.Module):
    """Proposes an 8 x 8 square and, with a lower score, the 16 x 16 one around it."""

    image_mean, image_std = (0.0,) * 3, (1.0,) * 3

    def forward(self, images):
        masks = torch.zeros(2, *images.shape[-2:], dtype=torch.bool)
        masks[0, 4:12, 4:12] = masks[1, :16, :16] = True
        return [InstanceData(scores=torch.tensor([0.9, 0.4]), masks=masks, bboxes=torch.zeros(2, 4)) for _ in images]


def segmentor(test_cfg=None, backbone=None, **options):
    return MODELS.build(
        dict(
            type="OpenVocabSegmentor",
            backbone=backbone or CORRCLIP,
            decode_head=dict(type="PixelTextHead"),
            vocabulary=[f"class {index}" for index in range(5)],
            class_embeddings=torch.randn(5, 384, generator=torch.Generator().manual_seed(1)),
            test_cfg=test_cfg or {},
            **options,
        )
    )


def pictures(count, *size):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(0))


def labels_of(model, images, metas):
    return [sample.pred_sem_seg.data[0] for sample in model.decode(model.encode(images, metas))]


def random_regions(*size, count=4, seed=0):
    coarse = torch.randint(0, count, (1, 1, 4, 5), generator=torch.Generator().manual_seed(seed)).float()
    return F.interpolate(coarse, size=size, mode="nearest")[0, 0].long().numpy()


@pytest.mark.parametrize("test_cfg", [{}, SLIDE], ids=["whole", "slide"])
def test_a_batch_is_its_pictures(test_cfg):
    model, images = segmentor(dict(test_cfg, region_vote=True)), pictures(2, 61, 90)
    metas = [dict(region_ids=random_regions(80, 70, count=7)), dict(region_ids=random_regions(61, 90), flip=True)]
    metas = [dict(meta, ori_shape=meta["region_ids"].shape) for meta in metas]
    together = labels_of(model, images, metas)
    for index in range(2):
        (alone,) = labels_of(model, images[index : index + 1], metas[index : index + 1])
        assert alone.shape == metas[index]["ori_shape"] and torch.equal(alone, together[index])


def test_padding_of_a_batch_is_no_region():
    """Padded to whole cells below, as mmseg pads the smaller pictures of a batch: padding is no region."""
    model, image = segmentor(backbone=dict(CORRCLIP, semantic_weight=0, spatial_weight=0)), pictures(1, 48, 64)
    meta = dict(region_ids=random_regions(48, 64), ori_shape=(48, 64))
    padded = model.encode(F.pad(image, (0, 0, 0, 16)), [dict(meta, img_padding_size=(0, 0, 0, 16))])
    regions = model.backbone.window_inputs(F.pad(image, (0, 0, 0, 16)), padded.metainfos, [(0, 0, 64, 64)])["regions"]
    assert (regions[0, 48:] == -1).all() and torch.equal(regions[0, :48], torch.from_numpy(meta["region_ids"]))
    assert model.decode(padded)[0].pred_sem_seg.shape == (48, 64)


@pytest.mark.parametrize("meta", [{}, dict(flip=True, flip_direction="vertical"), dict(padding_size=(2, 0, 3, 1))])
def test_maps_go_to_the_input_and_back(meta):
    ids = torch.arange(1, 13).view(3, 4)
    left, right, top, bottom = meta.get("padding_size", (0,) * 4)
    seen = to_input(ids, meta, (6 + top + bottom, 8 + left + right))
    if meta.get("flip"):
        assert seen[0].tolist() == [9, 9, 10, 10, 11, 11, 12, 12]
    assert seen[top].tolist()[left : left + 8] == (ids[-1 if meta.get("flip") else 0].repeat_interleave(2)).tolist()
    assert int((seen == -1).sum()) == seen.numel() - 48
    assert torch.equal(to_original(seen, dict(meta, ori_shape=(3, 4))), ids)


def test_the_vote_gives_every_region_one_label_with_any_backbone():
    plain = dict(type="CLIPBackbone", model="scenes", attention="value")
    images, ids = pictures(1, 64, 80), random_regions(64, 80)
    metas = [dict(region_ids=ids, ori_shape=(64, 80))]
    (before,), (after,) = (labels_of(segmentor(dict(region_vote=vote), plain), images, metas) for vote in (False, True))
    assert not torch.equal(before, after)
    for value in np.unique(ids):
        inside = torch.from_numpy(ids == value)
        expected = before[inside].mode().values if value else before[inside]
        assert (after[inside] == expected).all()
    with pytest.raises(ValueError, match="no region masks came with"):
        labels_of(segmentor(dict(region_vote=True), plain), images, [{}])
    with pytest.raises(ValueError, match="region_vote must be True, False or 'smallest'"):
        segmentor(dict(region_vote="all"))


@pytest.mark.parametrize(
    ("options", "sizes"),
    [({}, [0, 256]), (dict(overlap="smallest"), [64, 192]), (dict(min_score=0.5), [64, 0])],
)
def test_proposals_become_regions(options, sizes):
    source = dict(type="ProposedRegions", proposals=dict(type="TwoSquares"), **options)
    model = segmentor(regions=source)
    encoded = model.encode(pictures(1, 40, 48), [dict(ori_shape=(40, 48))])
    ids = encoded.metainfos[0]["region_ids"]
    assert ids.shape == (40, 48) and [int((ids == number).sum()) for number in (1, 2)] == sizes


def test_given_maps_go_before_the_source():
    model = segmentor(regions=dict(type="ProposedRegions", proposals=dict(type="TwoSquares")))
    given = np.full((40, 48), 5)
    metas = model.encode(pictures(2, 40, 48), [dict(region_ids=given), {}]).metainfos
    assert metas[0]["region_ids"] is given and metas[1]["region_ids"].unique().tolist() == [0, 2]


def test_segments_of_like_colour_cover_the_picture():
    source = MODELS.build(dict(type="FelzenszwalbRegions", min_pixels=20))
    images = torch.zeros(1, 3, 40, 60)
    images[..., 25:] = 1.0
    (ids,) = source.find(images)
    left, right = ids[:, :18].unique().tolist(), ids[:, 34:].unique().tolist()
    assert ids.shape == (40, 60) and ids.min() > 0
    assert len(left) == len(right) == 1 and left != right


def test_sources_do_not_learn_and_take_pictures_alone():
    proposals = dict(type="TinyProposalNet", pretrained="scenes_proposals")
    model = segmentor(regions=dict(type="ProposedRegions", proposals=proposals)).train()
    assert not any(module.training for module in model.regions.modules())
    assert not any(parameter.requires_grad for parameter in model.regions.parameters())
    with pytest.raises(TypeError, match=r"looks at the picture alone.*SegmentProposals"):
        MODELS.build(dict(type="ProposedRegions", proposals=dict(type="SegmentProposals")))
