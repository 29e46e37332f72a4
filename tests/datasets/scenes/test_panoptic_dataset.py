import numpy as np
import pytest
from mmengine.registry import DefaultScope

from ovdense.datasets.scenes.textures import STUFF
from ovdense.evaluation import PanopticQuality
from ovdense.registry import DATASETS

PIPELINE = [
    dict(type="LoadImage"),
    dict(type="mmdet.LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="mmdet.PackDetInputs", meta_keys=("img_id", "ori_shape", "img_shape", "panoptic")),
]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


def build(**options):
    return DATASETS.build(dict(type="ScenesPanopticDataset", split="val", pipeline=PIPELINE, **options))


def test_segments_are_those_of_the_scene():
    dataset = build(num_scenes=5)
    for index in range(5):
        scene, truth = dataset.generator[index], dataset[index]["data_samples"].panoptic
        assert np.array_equal(truth["ids"] == 0, scene.semantic == 255)
        names = [dataset.metainfo["classes"][segment["label"]] for segment in truth["segments"]]
        shown = [item for item in scene.objects if not item.ignored]
        assert names[: len(shown)] == [item.name for item in shown]
        textures = {scene.labels[label] for label in np.unique(scene.semantic) if label != 255} & set(STUFF)
        assert set(names[len(shown) :]) == textures and len(names) == len(shown) + len(textures)
        for segment, name in zip(truth["segments"], names):
            mask = truth["ids"] == segment["id"]
            assert mask.any() and (scene.semantic[mask] == scene.labels.index(name)).all()


def test_names_outside_of_the_vocabulary_are_void():
    dataset = build(num_scenes=4, vocabulary="scenes-48", fixed="full")
    for index in range(4):
        truth, scene = dataset.get_data_info(index)["panoptic"], dataset.generator[index]
        known = np.isin(scene.semantic_as(dataset.metainfo["classes"]), np.arange(48))
        assert np.array_equal(truth["ids"] > 0, known)


def test_the_truth_has_a_quality_of_100_and_classes_have_groups():
    dataset = build(num_scenes=6)
    metric = PanopticQuality()
    metric.dataset_meta = dataset.metainfo
    for index in range(6):
        sample = dataset[index]["data_samples"].to_dict()
        predicted = np.full(sample["panoptic"]["ids"].shape, 143)
        for segment in sample["panoptic"]["segments"]:
            instance = segment["id"] if segment["label"] < 127 else 0
            predicted[sample["panoptic"]["ids"] == segment["id"]] = segment["label"] + 1000 * instance
        metric.process({}, [dict(sample, pred_panoptic_seg=dict(sem_seg=predicted[None]))])
    results = metric.evaluate(6)
    for name in ("PQ", "SQ", "RQ", "PQ_thing", "PQ_stuff", "PQ_base"):
        assert results[f"scenes/{name}"] == 100
    assert len(dataset.metainfo["thing_classes"]) == 127 and len(dataset.metainfo["stuff_classes"]) == 16
