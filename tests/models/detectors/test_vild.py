"""ViLD: what the teacher's crops train, and what the store keeps of them."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from ovdense.engine.region_targets import RegionTargetStore, relative_boxes
from ovdense.functional.region_distillation import embedding_distance
from ovdense.registry import MODELS
from ovdense.structures import ClassEmbeddings, Vocabulary

TINY = Path(__file__).resolve().parents[3] / "configs" / "tiny" / "vild_scenes_1xb8-80_scenes-127-96.py"


@pytest.fixture(scope="module")
def detector():
    model = MODELS.build(Config.fromfile(TINY).model)
    return model.train()


def sample_of(flip=False):
    meta = dict(img_id=7, img_shape=(96, 96), ori_shape=(96, 96), scale_factor=(1.0, 1.0), flip=flip)
    truth = InstanceData(bboxes=torch.tensor([[10.0, 10, 40, 40]]), labels=torch.tensor([0]))
    return DetDataSample(metainfo=meta, gt_instances=truth)


def test_the_image_head_alone_follows_the_crops(detector):
    torch.manual_seed(0)
    losses = detector.loss(torch.randn(1, 3, 96, 96), [sample_of()])
    assert losses["loss_image"].isfinite() and losses["loss_image"] > 0
    head = detector.roi_head.bbox_head
    losses["loss_image"].backward(retain_graph=True)
    assert head.kd_fc_cls.projection.weight.grad.abs().max() > 0 and head.fc_cls.projection.weight.grad is None
    assert all(parameter.grad is None for parameter in detector.teacher.parameters())
    assert not any(name.startswith("teacher.") for name in detector.state_dict())


def test_the_targets_are_the_embeddings_of_the_crops(detector):
    """A box that covers the picture is the picture; the larger crop ends where the picture does, so it is the same."""
    torch.manual_seed(0)
    image = torch.randn(1, 3, 48, 48)
    found = detector.teacher(image[0], torch.tensor([[0.0, 0, 48, 48]]))
    expected = torch.nn.functional.normalize(detector.teacher.clip(image).global_embedding, dim=1)
    assert torch.allclose(found.norm(dim=1), torch.ones(1)) and (found * expected).sum() > 0.9


def test_a_store_knows_flipped_and_resized_pictures(tmp_path):
    store = RegionTargetStore(tmp_path)
    boxes, rows = torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[1.0, 0, 0]])
    assert store.get(dict(img_id=3, img_shape=(100, 100)), "cpu") is None
    store.put(dict(img_id=3, img_shape=(100, 100)), boxes, rows)
    store.store.flush()
    again = RegionTargetStore(tmp_path)
    same, embedding = again.get(dict(img_id=3, img_shape=(200, 200)), "cpu")
    assert torch.allclose(same, boxes * 2) and torch.equal(embedding, rows)
    flipped, _ = again.get(dict(img_id=3, img_shape=(100, 100), flip=True, flip_direction="horizontal"), "cpu")
    assert torch.allclose(flipped, torch.tensor([[70.0, 20, 90, 60]]))
    with pytest.raises(ValueError, match="horizontal flips alone, got 'vertical'"):
        relative_boxes(boxes, dict(img_shape=(100, 100), flip=True, flip_direction="vertical"))


def test_the_distance_by_hand():
    regions, targets = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    assert embedding_distance(regions, targets).item() == pytest.approx(1.0)  # (0 + 2) / 2
    with pytest.raises(ValueError, match=r"regions \(2, 2\) and the teacher's rows \(1, 2\) differ"):
        embedding_distance(regions, targets[:1])


def test_training_needs_a_teacher():
    config = Config.fromfile(TINY).model
    config.teacher = None
    model = MODELS.build(config).train()
    with pytest.raises(ValueError, match="trains its image head with a teacher"):
        model.loss(torch.randn(1, 3, 96, 96), [sample_of()])


def test_ten_thousand_names_cost_no_model(detector, monkeypatch):
    """Rows are put in place: nothing is built or encoded by another model, and the next prediction has all classes."""
    modules = list(detector.modules())
    names = [f"name {index}" for index in range(10_000)]
    rows = torch.nn.functional.normalize(torch.randn(10_000, 384), dim=1)
    space = detector.backbone.space
    detector.eval().set_vocabulary(ClassEmbeddings(rows, torch.arange(10_000), Vocabulary.parse(names), space))
    monkeypatch.setattr(type(detector._text_encoder), "encode", None)
    (found,) = detector.predict(torch.randn(1, 3, 96, 96), [sample_of()])
    assert list(map(id, detector.modules())) == list(map(id, modules))
    assert detector.roi_head.bbox_head.classifier.rows.shape == (10_000, 384)
    assert found.pred_instances.bboxes.shape[1] == 4
