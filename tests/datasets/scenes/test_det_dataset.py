import numpy as np
import pytest
from mmdet.evaluation import CocoMetric
from mmengine.registry import DefaultScope

from ovdense.registry import DATASETS


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


PIPELINE = [
    dict(type="LoadImage"),
    dict(type="mmdet.LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="mmdet.PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "scale_factor", "instances")),
]


def build(**options):
    return DATASETS.build(dict(type="ScenesDetDataset", split="val", pipeline=PIPELINE, **options))


def test_instances_are_those_of_the_scene():
    dataset = build(num_scenes=6)
    for index in range(6):
        scene, sample = dataset.generator[index], dataset[index]["data_samples"]
        shown = [item for item in scene.objects if not item.ignored]
        truth = sample.gt_instances
        assert [dataset.metainfo["classes"][label] for label in truth.labels] == [item.name for item in shown]
        assert truth.bboxes.tensor.tolist() == [list(item.box) for item in shown]
        for mask, item in zip(truth.masks.masks, shown):
            assert np.array_equal(mask > 0, scene.instances == item.instance_id)
        assert len(sample.ignored_instances) == len(scene.objects) - len(shown)


def test_unlabelled_groups_stay_in_the_picture():
    dataset = build(num_scenes=25, vocabulary="scenes-127", labelled="base")
    names = {dataset.metainfo["classes"][label] for index in range(25) for label in dataset.get_cat_ids(index)}
    drawn = {item.name for index in range(25) for item in dataset.generator[index].objects}
    base = {dataset.vocabulary.classes[index] for index in dataset.vocabulary.group("base")}
    assert names <= base
    assert drawn - base


def test_classes_are_the_objects_of_the_vocabulary():
    assert len(build(num_scenes=1, vocabulary="scenes-48").metainfo["classes"]) == 32


def test_coco_metric_gives_100_to_the_truth(tmp_path):
    dataset = build(num_scenes=8, vocabulary="scenes-48")
    metric = CocoMetric(metric=["bbox", "segm"], outfile_prefix=str(tmp_path / "result"))
    metric.dataset_meta = dataset.metainfo
    for index in range(8):
        sample = dataset[index]["data_samples"]
        truth = sample.gt_instances
        prediction = dict(
            bboxes=truth.bboxes.tensor,
            labels=truth.labels,
            scores=truth.labels.float() * 0 + 0.9,
            masks=truth.masks.to_tensor(dtype=bool, device="cpu"),
        )
        metric.process({}, [dict(sample.metainfo, pred_instances=prediction)])
    results = metric.evaluate(8)
    assert results["coco/bbox_mAP"] == pytest.approx(1)
    assert results["coco/segm_mAP"] == pytest.approx(1)
