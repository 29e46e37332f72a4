"""Panoptic maps: things in front of stuff, geometry, vocabularies, errors."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope

from ovdense.models.detectors import OpenVocabPanopticDetector
from ovdense.registry import MODELS
from ovdense.structures import DenseFeatures, Vocabulary

GROUPS = dict(thing=["a", "b"], stuff=["grass", "sky"])
ROWS = {"grass": torch.eye(4)[0], "a": torch.eye(4)[1], "b": torch.eye(4)[2], "sky": torch.eye(4)[3]}


@pytest.fixture(autouse=True)
def scope():
    init_default_scope("ovdense")


@MODELS.register_module(force=True)
class ColumnsBackbone(BaseModule):
    """One cell for every 4 x 4 pixels; the channels say in which quarter of the width a cell lies."""

    name, space, embed_dim = "columns", "columns", 4
    image_mean, image_std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def forward(self, images):
        height, width = (side // 4 for side in images.shape[-2:])
        quarter = torch.arange(width) * 4 // width
        dense = torch.eye(4)[quarter].T[None, :, None, :].expand(len(images), 4, height, width)
        return DenseFeatures(dense=dense, stride=4, image_size=tuple(images.shape[-2:]))


def model(**options):
    vocabulary = Vocabulary.parse(list(ROWS), groups=options.pop("groups", GROUPS))
    options = (
        dict(
            backbone=dict(type="ColumnsBackbone"),
            proposals=dict(type="GivenProposals"),
            roi_head=dict(type="RegionTextHead", pool="mask", activation="none"),
            vocabulary=vocabulary,
            class_embeddings=ROWS,
        )
        | options
    )
    return OpenVocabPanopticDetector(**options).eval()


def regions(*boxes, size=(16, 32)):
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = True
    return masks


def panoptic_of(net, proposals, metainfos=None, size=(16, 32)):
    encoded = net.encode(torch.zeros(len(proposals), 3, *size), metainfos, proposals)
    return [sample.pred_panoptic_seg.sem_seg[0] for sample in net.decode(encoded)]


def test_regions_are_things_and_the_rest_is_stuff():
    net = model()
    encoded = net.encode(torch.zeros(1, 3, 16, 32), proposals=[regions((8, 0, 16, 8), (16, 8, 24, 16))])
    sample = net.decode(encoded)[0]
    assert sample.pred_instances.labels.tolist() == [1, 2]  # of the whole vocabulary
    panoptic = sample.pred_panoptic_seg.sem_seg
    assert panoptic.shape == (1, 16, 32) and panoptic.dtype == torch.int64
    assert (panoptic[0, :8, 8:16] == 1001).all() and (panoptic[0, 8:, 16:24] == 2002).all()
    assert (panoptic[0, :, :8] == 0).all() and (panoptic[0, :, 24:] == 3).all()
    assert set(panoptic.unique().tolist()) == {0, 3, 1001, 2002}


def test_stuff_of_a_small_share_gives_way():
    thing = regions((8, 0, 16, 16))  # sky has the last quarter of the width, grass the rest
    open_map = panoptic_of(model(), [thing])[0]
    shares = [(open_map == label).float().mean() for label in (0, 3)]
    assert min(shares) > 0
    limit = float(shares[1] / sum(shares)) + 0.01
    assert 3 not in panoptic_of(model(panoptic_cfg=dict(min_stuff_share=limit)), [thing])[0]
    # where all stuff would go, it stays
    assert torch.equal(panoptic_of(model(panoptic_cfg=dict(min_stuff_share=1.0)), [thing])[0], open_map)


def test_weak_detections_stay_out_of_the_map_only():
    net = model(panoptic_cfg=dict(score_thr=0.9))
    weak = regions((8, 0, 24, 16))  # half a, half b: cosine 0.71
    encoded = net.encode(torch.zeros(1, 3, 16, 32), proposals=[weak])
    sample = net.decode(encoded)[0]
    assert len(sample.pred_instances) and sample.pred_panoptic_seg.sem_seg.max() < 1000


def test_a_batch_of_padded_and_enlarged_pictures_agrees_with_each_alone():
    # the first fills the batch, the second is 12 x 16 input pixels of an original of 6 x 8, the rest is padding
    metas = [dict(img_shape=(16, 32), ori_shape=(16, 32)), dict(img_shape=(12, 16), ori_shape=(6, 8))]
    metas[1]["scale_factor"] = (2.0, 2.0)
    proposals = [regions((8, 0, 16, 8)), regions((4, 0, 8, 3), size=(6, 8))]
    together = panoptic_of(model(), proposals, metas)
    alone = [panoptic_of(model(), [one], [meta])[0] for one, meta in zip(proposals, metas)]
    assert [tuple(one.shape) for one in together] == [(16, 32), (6, 8)]
    assert all(torch.equal(*pair) for pair in zip(together, alone))
    assert (together[1][:3, 4:] == 1001).all() and (together[1][:, :4] == 0).all()


def test_other_names_after_encoding():
    net = model()
    encoded = net.encode(torch.zeros(1, 3, 16, 32), proposals=[regions((8, 0, 16, 8))])
    net.set_vocabulary(["sky", "a"], groups=dict(thing=["a"], stuff=["sky"]))
    assert net.decode(encoded)[0].pred_panoptic_seg.sem_seg.unique().tolist() == [0, 1001]


def test_mm_paints_the_map():
    sample = DetDataSample()
    net = model()
    encoded = net.encode(torch.zeros(1, 3, 16, 32), proposals=[regions((8, 0, 16, 8))])
    sample.pred_panoptic_seg = net.decode(encoded)[0].pred_panoptic_seg
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=list(ROWS), palette=[(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)])
    visualizer.add_datasample("map", np.full((16, 32, 3), 200, np.uint8), sample, draw_gt=False)
    painted = visualizer.get_image()
    assert painted.shape == (16, 32, 3) and len(np.unique(painted.reshape(-1, 3), axis=0)) > 1


def test_errors_say_what_came():
    with pytest.raises(ValueError, match="got the groups"):
        panoptic_of(model(groups=dict(thing=["a"])), [regions((0, 0, 8, 8))])
    with pytest.raises(ValueError, match=r"generator that gives masks.*got GivenProposals"):
        panoptic_of(model(roi_head=dict(type="RegionTextHead", activation="none")), [[[0, 0, 8, 8]]])
    with pytest.raises(ValueError, match=r"min_visible.*got \['overlap'\]"):
        model(panoptic_cfg=dict(overlap=0.5))
