"""BARON in a detector: which proposals make bags, and what their losses train."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from ovdense.models.detectors.baron import SAMPLING, choose_proposals, image_number
from ovdense.registry import MODELS

TOWER = dict(
    embed_dim=16,
    quick_gelu=True,
    vision_cfg=dict(image_size=32, patch_size=8, width=24, layers=2, head_width=12),
    text_cfg=dict(context_length=77, vocab_size=50, width=16, heads=2, layers=2),
)
CLIP = dict(model=TOWER, pretrained=None)
NAMES = ("cat", "dog", "cow")


def config_of(**options):
    box = dict(
        type="ovdense.TextConvFCBBoxHead",
        in_channels=128,
        fc_out_channels=32,
        roi_feat_size=4,
        num_shared_fcs=1,
        classifier=dict(type="ovdense.PseudoWordClassifier", text=CLIP, num_words=4, background="learned"),
        loss_cls=dict(type="ovdense.RegionCrossEntropy"),
        loss_bbox=dict(type="L1Loss"),
    )
    extractor = dict(
        type="SingleRoIExtractor",
        roi_layer=dict(type="RoIAlign", output_size=4, sampling_ratio=0),
        out_channels=128,
        featmap_strides=[8],
    )
    assigner = dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5)
    sampler = dict(type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True)
    return dict(
        type="ovdense.BARONDetector",
        backbone=dict(type="mmdet.ResNet", depth=18, out_indices=(1,)),
        data_preprocessor=dict(type="mmdet.DetDataPreprocessor", mean=[123.0] * 3, std=[58.0] * 3),
        vocabulary=list(NAMES),
        class_embeddings=torch.eye(3, 16),
        teacher=dict(type="CLIPBackbone", **CLIP),
        crop_size=32,
        roi_head=dict(type="ovdense.TextRoIHead", bbox_roi_extractor=extractor, bbox_head=box),
        train_cfg=dict(rcnn=dict(assigner=assigner, sampler=sampler, pos_weight=-1, debug=False)),
        test_cfg=dict(rcnn=dict(score_thr=0.0, nms=dict(type="nms", iou_threshold=0.5), max_per_img=5)),
        **options,
    )


def sample_of(index, shape=(64, 96)):
    meta = dict(img_id=index, img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0))
    truth = InstanceData(bboxes=torch.tensor([[10.0, 10, 40, 40]]), labels=torch.tensor([0]))
    found = torch.tensor([[0.0, 0, 30, 30], [50, 20, 90, 60], [5, 5, 20, 60]])
    proposals = InstanceData(bboxes=found, scores=torch.tensor([0.9, 0.95, 0.2]))
    return DetDataSample(metainfo=meta, gt_instances=truth, proposals=proposals)


def test_a_step_trains_words_and_places_and_not_the_towers():
    torch.manual_seed(0)
    model = MODELS.build(config_of()).train()
    images = torch.randn(2, 3, 64, 96)
    losses = model.loss(images, [sample_of(3), sample_of(8)])
    assert {"loss_bag", "loss_single", "loss_cls"} <= losses.keys()
    (losses["loss_bag"] + losses["loss_single"]).backward()
    assert model.roi_head.bbox_head.fc_cls.projection.weight.grad.abs().max() > 0
    assert model.distiller.position[0].weight.grad.abs().max() > 0
    frozen = [*model.teacher.parameters(), *model.roi_head.bbox_head.fc_cls.encoder.parameters()]
    assert all(parameter.grad is None for parameter in frozen)
    assert set(model.distiller.queues) == {"text", "image", "word", "patch"}
    kept = model.state_dict()
    assert not any("teacher." in name or ".encoder." in name for name in kept) and "distiller.position.0.weight" in kept


def test_it_predicts_without_a_teacher():
    model = MODELS.build({**config_of(), "teacher": None}).eval()
    (found,) = model.predict(torch.randn(1, 3, 64, 96), [sample_of(1)])
    assert len(found.pred_instances.bboxes) <= 5
    with pytest.raises(ValueError, match="BARON is trained with a teacher"):
        model.train().loss(torch.randn(1, 3, 64, 96), [sample_of(1)])


def test_proposals_of_bags():
    """Picture of 101 x 101 pixels: thin, tiny, unlikely and doubled boxes go."""
    boxes = [[0, 0, 40, 40], [1, 1, 41, 41], [0, 0, 90, 10], [0, 0, 5, 5], [50, 50, 90, 90]]
    scores = torch.tensor([0.9, 0.95, 0.99, 0.99, 0.5])
    chosen = choose_proposals(torch.tensor(boxes, dtype=torch.float32), scores, (101, 101), SAMPLING)
    assert chosen.tolist() == [[1, 1, 41, 41]]
    none = choose_proposals(torch.tensor(boxes, dtype=torch.float32), scores * 0.1, (101, 101), SAMPLING)
    assert none.tolist() == [[0, 0, 90, 10]]
    assert image_number(5) == 5 and image_number("a.png") == image_number("a.png") != image_number("b.png")


def test_other_heads_are_refused():
    config = config_of()
    config["roi_head"]["bbox_head"]["classifier"] = dict(embed_dim=16, projection=True)
    with pytest.raises(ValueError, match="has a PseudoWordClassifier, got TextClassifier"):
        MODELS.build(config)
