"""Proposals that are given, segmented, or made by an mmdet RPN head."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from ovdense.functional.region_pooling import mask_boxes
from ovdense.models.detectors import GivenProposals, RPNProposals, SegmentProposals
from ovdense.structures import DenseFeatures, SegmentMasks

IMAGES = torch.zeros(1, 3, 40, 60)
FEATURES = DenseFeatures(dense=torch.zeros(1, 4, 3, 4), stride=16, image_size=(40, 60), padding=(0, 0, 4, 8))


def test_given_boxes_are_brought_to_the_input():
    meta = dict(proposals=[[0, 0, 10, 10], [20, 5, 90, 9]], scale_factor=(0.5, 2.0), img_shape=(40, 50))
    found = GivenProposals()(IMAGES, FEATURES, [meta])[0]
    assert found.bboxes.tolist() == [[0, 0, 5, 20], [10, 10, 45, 18]]
    assert found.scores.tolist() == [1, 1]
    assert len(GivenProposals()(IMAGES, FEATURES, [dict(proposals=[])])[0]) == 0


def test_given_masks_bring_their_boxes():
    mask = torch.zeros(1, 80, 120, dtype=torch.bool)
    mask[0, 20:40, 60:100] = True
    for masks in (mask, InstanceData(masks=mask), InstanceData(masks=BitmapMasks(mask.numpy(), 80, 120))):
        found = GivenProposals()(IMAGES, FEATURES, [dict(proposals=masks, img_shape=(40, 60))])[0]
        assert found.bboxes.tolist() == [[30, 10, 50, 20]]
        assert found.masks.shape == (1, 40, 60) and found.masks.sum() == 200


def test_fixed_boxes_and_missing_ones():
    assert len(GivenProposals(boxes=[[1, 2, 3, 4]])(IMAGES, FEATURES, [{}])[0]) == 1
    with pytest.raises(ValueError, match="found no proposals"):
        GivenProposals()(IMAGES, FEATURES, [{}])


def test_boxes_of_masks():
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 1:3, 2] = True
    assert mask_boxes(masks).tolist() == [[2, 1, 3, 3], [0, 0, 0, 0]]


def square_picture():
    images = torch.full((2, 3, 60, 90), 0.2)
    images[0, :, 20:40, 30:60] = torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1)
    features = DenseFeatures(dense=torch.rand(2, 4, 4, 6), stride=16, image_size=(60, 90), padding=(0, 0, 6, 4))
    return images, features


def test_segments_find_a_square():
    images, features = square_picture()
    found = SegmentProposals(sigma=0, min_pixels=20)(images, features, [{}, dict(img_shape=(50, 90))])
    exact = (found[0].bboxes == torch.tensor([30.0, 20, 60, 40])).all(1).nonzero().flatten().tolist()
    assert len(exact) == 1
    square = found[0][exact]
    assert square.scores.item() == pytest.approx(600 / 5400)
    assert isinstance(square.masks, SegmentMasks)
    assert square.masks.to_tensor()[0].nonzero().amin(0).tolist() == [20, 30]
    # A picture of one colour is one region, of the part that is image.
    assert found[1].bboxes.tolist() == [[0, 0, 90, 50]]


def test_segments_scale_back_to_the_input_and_filter_by_area():
    images, features = square_picture()
    generator = SegmentProposals(side=45, sigma=0, min_pixels=5, max_area=0.5)
    found = generator(images[:1], features[0], [{}])[0]
    assert found.scores.max() <= 0.5
    boxes = found.bboxes[found.scores.argmax()]
    torch.testing.assert_close(boxes, torch.tensor([30.0, 20, 60, 40]), atol=2.0, rtol=0)
    one, two = (
        SegmentProposals(side=45, sigma=0, min_pixels=5, weights=weights)(images[:1], features[0], [{}])[0]
        for weights in ([(1, 1, 1, 1)], [(1, 1, 1, 1), (0, 0, 1, 0)])
    )
    segments = one.masks.members.shape[1]
    assert len(one) == 2 * segments - 1 and len(two) == 3 * segments - 2


@pytest.fixture(scope="module")
def rpn():
    init_default_scope("ovdense")
    head = dict(
        type="mmdet.RPNHead",
        in_channels=8,
        feat_channels=8,
        anchor_generator=dict(type="mmdet.AnchorGenerator", scales=[2], ratios=[1.0], strides=[8, 16]),
        bbox_coder=dict(type="mmdet.DeltaXYWHBBoxCoder", target_stds=[1.0] * 4),
        train_cfg=dict(
            assigner=dict(type="mmdet.MaxIoUAssigner", pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
            sampler=dict(type="mmdet.RandomSampler", num=16, pos_fraction=0.5, add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        test_cfg=dict(nms_pre=100, max_per_img=20, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0),
    )
    neck = dict(type="mmdet.FPN", in_channels=[6, 12], out_channels=8, num_outs=2)
    return RPNProposals(rpn_head=head, neck=neck, levels=(0, 1))


def test_rpn_proposes_and_learns(rpn):
    maps = (torch.rand(2, 6, 8, 12), torch.rand(2, 12, 4, 6), torch.rand(2, 3, 1, 1))
    features = DenseFeatures(dense=None, maps=maps, stride=16, image_size=(64, 96))
    images = torch.zeros(2, 3, 64, 96)
    found = rpn.eval()(images, features, [{}, dict(img_shape=(40, 50))])
    assert len(found[0]) == 20 and found[0].scores.diff().le(0).all()
    assert found[1].bboxes.amax(0)[2] <= 50 and found[1].bboxes.amax(0)[3] <= 40
    samples = []
    for _ in range(2):
        sizes = dict.fromkeys(("img_shape", "pad_shape", "batch_input_shape"), (64, 96))
        sample = DetDataSample(metainfo=sizes)
        truth = InstanceData(bboxes=torch.tensor([[8.0, 8, 40, 40]]), labels=torch.tensor([7]))
        sample.gt_instances, sample.ignored_instances = truth, InstanceData(bboxes=torch.zeros(0, 4))
        samples.append(sample)
    losses = rpn.train().loss(features, samples)
    assert set(losses) == {"loss_rpn_cls", "loss_rpn_bbox"}
    assert samples[0].gt_instances.labels.tolist() == [7]
