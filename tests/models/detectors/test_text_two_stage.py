"""The two-stage shell with text classifiers: losses, predictions, vocabularies and proposals by hand."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModule
from mmengine.structures import InstanceData

from ovdense.models.detectors import OpenVocabTwoStageDetector
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary


@MODELS.register_module(force=True)
class PatchColours(BaseModule):
    """Mean colours of 4 x 4 pixels and a constant: four channels of a text space."""

    space, embed_dim = "colours", 4
    image_mean, image_std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def forward(self, images):
        means = torch.nn.functional.avg_pool2d(images, 4)
        return (torch.cat([means, torch.full_like(means[:, :1], 0.1)], 1),)


NAMES = {name: torch.eye(4)[index] for index, name in enumerate(["red", "green", "blue"])}
BOXES = torch.tensor([[0.0, 0, 16, 16], [16, 0, 32, 16], [0, 16, 32, 32], [1, 0, 16, 16]])
TRAIN = dict(
    rcnn=dict(
        assigner=dict(type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5),
        sampler=dict(type="RandomSampler", num=8, pos_fraction=0.5, add_gt_as_proposals=True),
        pos_weight=-1,
        debug=False,
    )
)
TEST = dict(rcnn=dict(score_thr=0.3, nms=dict(type="nms", iou_threshold=0.5), max_per_img=10))


def detector(head="TextBBoxHead", classifier=None, test=None, **options):
    head = dict(
        type=f"ovdense.{head}",
        in_channels=4,
        classifier=dict(logit_scale=10.0, **(classifier or {})),
        loss_cls=dict(type="ovdense.RegionCrossEntropy", background_weight=0.2, gamma=0.5),
        loss_bbox=dict(type="L1Loss"),
    )
    if head["type"].endswith("ConvFCBBoxHead"):
        head.update(num_shared_fcs=1, num_cls_fcs=1, fc_out_channels=4, roi_feat_size=1)
    options = (
        dict(
            backbone=dict(type="PatchColours"),
            roi_head=dict(
                type="ovdense.TextRoIHead",
                bbox_roi_extractor=dict(
                    type="SingleRoIExtractor",
                    roi_layer=dict(type="RoIAlign", output_size=1, sampling_ratio=0),
                    out_channels=4,
                    featmap_strides=[4],
                ),
                bbox_head=head,
            ),
            class_embeddings=NAMES,
            train_cfg=TRAIN,
            test_cfg=dict(rcnn={**TEST["rcnn"], **(test or {})}),
        )
        | options
    )
    torch.manual_seed(0)
    model = OpenVocabTwoStageDetector(**options)
    torch.nn.init.zeros_(model.roi_head.bbox_head.fc_reg.weight)
    torch.nn.init.zeros_(model.roi_head.bbox_head.fc_reg.bias)
    return model.eval()


def sample(boxes=BOXES, scores=None):
    """A picture with a red, a green and a blue field, and proposals on them."""
    image = torch.zeros(3, 32, 32)
    image[0, :16, :16] = image[1, :16, 16:] = image[2, 16:] = 1
    found = DetDataSample(metainfo=dict(img_shape=(32, 32), ori_shape=(64, 64), scale_factor=(0.5, 0.5)))
    found.proposals = InstanceData(bboxes=boxes, scores=torch.ones(len(boxes)) if scores is None else scores)
    found.gt_instances = InstanceData(bboxes=BOXES[:3].clone(), labels=torch.arange(3))
    return image, found


def predict(model, *samples, **options):
    images, samples = zip(*samples)
    return [one.pred_instances for one in model.predict(torch.stack(images), list(samples), **options)]


def test_names_fields_and_keeps_classes_apart():
    (found,) = predict(detector(), sample())
    assert sorted(found.labels.tolist()) == [0, 1, 2]
    torch.testing.assert_close(found.bboxes, 2 * BOXES[found.labels])
    (found,) = predict(detector(), sample(), rescale=False)
    torch.testing.assert_close(found.bboxes, BOXES[found.labels])


def test_a_batch_agrees_with_its_pictures_one_by_one():
    model, two = detector(), [sample(), sample(BOXES[1:2])]
    for together, (image, one) in zip(predict(model, *two), two):
        alone = predict(model, (image, one))[0]
        torch.testing.assert_close(together.scores, alone.scores)
        assert together.labels.tolist() == alone.labels.tolist()
    assert len(predict(model, sample(BOXES[:0]))[0]) == 0


def test_the_vocabulary_changes_on_a_built_detector():
    model = detector()
    predict(model, sample())
    vocabulary = Vocabulary.parse([f"name {index}" for index in range(10_000)])
    rows = torch.nn.functional.normalize(torch.randn(10_000, 4) * torch.tensor([1.0, 0, 1, 1]), dim=1)
    rows[9_876] = torch.eye(4)[1]
    model.set_vocabulary(ClassEmbeddings(rows, torch.arange(10_000), vocabulary, "colours"))
    image, one = sample()
    logits = model._forward(image[None], [one])[0]
    assert model.roi_head.bbox_head.num_classes == 10_000
    assert logits.shape == (4, 10_001)
    assert logits[1].argmax() == 9_876
    assert predict(model, sample())[0].labels.tolist() == [9_876]


def test_synonyms_count_by_the_best():
    vocabulary = Vocabulary.parse([["warm", "red"], "green"])
    rows = torch.stack([torch.eye(4)[2], torch.eye(4)[0], torch.eye(4)[1]])
    model = detector(class_embeddings=ClassEmbeddings(rows, torch.tensor([0, 0, 1]), vocabulary, ""))
    (found,) = predict(model, sample(BOXES[:3]))
    assert sorted(found.labels.tolist()) == [0, 0, 1]


@pytest.mark.parametrize("background", ["zero", "learned", "word"])
@pytest.mark.parametrize("head", ["TextBBoxHead", "TextConvFCBBoxHead"])
def test_losses_of_every_background(head, background):
    given = dict(background_embedding={"background": torch.ones(4)}) if background == "word" else {}
    model = detector(head, dict(background=background), **given).train()
    image, one = sample()
    losses = model.loss(image[None], [one])
    assert set(losses) == {"loss_cls", "loss_bbox", "acc"}
    (losses["loss_cls"] + losses["loss_bbox"]).backward()
    assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in model.parameters()) or (
        head == "TextBBoxHead"
    )


def test_untrained_classes_are_no_negatives():
    vocabulary = Vocabulary.parse(["red", "green", "blue"], groups=dict(base=["red", "blue"]))
    rows = ClassEmbeddings(torch.eye(4)[:3], torch.arange(3), vocabulary, "colours")
    model = detector(classifier=dict(trained_group="base"), class_embeddings=rows)
    model.place_classes()
    classifier = model.roi_head.bbox_head.classifier
    assert classifier.eval()(torch.ones(1, 4))[0].isfinite().all()
    assert classifier.train()(torch.ones(1, 4))[0].isfinite().tolist() == [True, False, True, True]


def test_objectness_rules():
    scores = torch.tensor([0.25, 0.5, 0.9, 0.1])
    plain = predict(detector(), sample())[0]
    by_sigmoid = predict(detector(test=dict(objectness="sigmoid", score_thr=0.0)), sample(scores=scores))[0]
    best = {label: by_sigmoid.scores[by_sigmoid.labels == label].max() for label in range(3)}
    for label, objectness in zip(range(3), scores):
        wanted = (plain.scores[plain.labels == label][0] * objectness).sqrt()
        torch.testing.assert_close(best[label], wanted)
    found = predict(detector(test=dict(objectness="logit", score_thr=0.0)), sample(scores=scores))[0]
    assert set(found.labels[found.scores > 0.9].tolist()) == {2} and found.scores.max() > 1  # logit(0.9) = 2.2
    with pytest.raises(ValueError, match="objectness must be one of"):
        detector(test=dict(objectness="raw"))


def test_true_boxes_and_missing_proposals():
    model = detector()
    model.test_cfg.proposals = "ground_truth"
    image, one = sample(BOXES[:1])
    assert len(predict(model, (image, one))[0]) == 3
    model.test_cfg.proposals = "detector"
    del one.proposals
    with pytest.raises(ValueError, match="no proposals"):
        predict(model, (image, one))
    with pytest.raises(ValueError, match="must be one of"):
        detector(test_cfg=dict(rcnn=TEST["rcnn"], proposals="truth"))
    with pytest.raises(ValueError, match="set projection=True"):
        detector(classifier=dict(embed_dim=7))
    with pytest.raises(ValueError, match="word background"):
        predict(detector(classifier=dict(background="word")), sample())
