import pickle

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from ovdense.datasets import ScenesSegDataset
from ovdense.datasets.scenes.base import SPLITS, select_objects
from ovdense.models.vocabulary_files import load_vocabulary
from ovdense.registry import DATASETS


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


PIPELINE = [dict(type="LoadImage"), dict(type="mmseg.PackSegInputs")]


def build(**options):
    return DATASETS.build(dict(type="ScenesSegDataset", split="val", pipeline=PIPELINE, **options))


def test_items_are_mmseg_samples_of_the_generated_scene():
    dataset = build(num_scenes=3, first_scene=2, test_mode=True)
    assert len(dataset) == 3
    item = dataset[1]
    scene = dataset.generator[3]
    assert np.array_equal(item["inputs"].numpy(), scene.image.transpose(2, 0, 1)[::-1])
    labels = item["data_samples"].gt_sem_seg.data[0].numpy()
    assert np.array_equal(labels, scene.semantic_as(load_vocabulary("scenes-48").classes))


def test_classes_and_palette_are_the_vocabularys():
    vocabulary = load_vocabulary("scenes-115")
    dataset = build(num_scenes=1, vocabulary="scenes-115")
    assert tuple(dataset.metainfo["classes"]) == vocabulary.classes
    assert [list(color) for color in dataset.metainfo["palette"]] == vocabulary.palette
    assert len(ScenesSegDataset.METAINFO["classes"]) == 48  # the class itself is untouched


def test_only_objects_of_the_vocabulary_appear():
    dataset = build(num_scenes=20)
    names = {item.name for index in range(20) for item in dataset.generator[index].objects}
    assert names <= set(dataset.metainfo["classes"])


def test_objects_outside_the_vocabulary_are_ignored():
    names = ["dog", "bus", "grass", "sky"]
    dataset = build(num_scenes=1, vocabulary=names, generator=dict(classes=["cat"]))
    labels = dataset[0]["data_samples"].gt_sem_seg.data.numpy()
    assert set(np.unique(labels)) <= {2, 3, 255}


@pytest.mark.parametrize("test_mode, shape", [(True, (96, 96)), (False, (48, 48))])
def test_resize_changes_the_labels_in_training_only(test_mode, shape):
    resize = dict(type="mmseg.Resize", scale=(48, 48), keep_ratio=False)
    pipeline = [PIPELINE[0], resize, PIPELINE[1]]
    options = dict(type="ScenesSegDataset", num_scenes=1, pipeline=pipeline, test_mode=test_mode)
    item = DATASETS.build(options)[0]
    assert item["inputs"].shape[1:] == (48, 48)
    assert item["data_samples"].gt_sem_seg.shape == shape


def test_splits_differ_and_survive_pickling():
    seeds = {(split["seed"], split["texture_seed"]) for split in SPLITS.values()}
    assert len({seed for seed, _ in seeds}) == len({texture for _, texture in seeds}) == len(SPLITS)
    dataset = build(num_scenes=2)
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[1]["inputs"], dataset[1]["inputs"])


def test_select_objects_takes_names_and_groups():
    vocabulary = load_vocabulary("scenes-143")
    assert len(select_objects(vocabulary, None)) == 127
    assert len(select_objects(vocabulary, ["novel"])) == 28
    assert select_objects(vocabulary, ["dog", "dog", "grass"]) == ["dog"]
    with pytest.raises(ValueError, match="unicorn"):
        select_objects(vocabulary, "unicorn")


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(split="dev"), "dev"),
        (dict(num_scenes=0), "num_scenes=0"),
        (dict(vocabulary=[f"class {i}" for i in range(300)]), "300"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ScenesSegDataset(**options)
