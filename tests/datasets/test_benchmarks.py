"""The benchmark datasets: labels of the official files, and what is said when something is missing."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
BASES = ROOT / "configs" / "_base_" / "datasets"
PIPELINE = [dict(type="LoadImage"), dict(type="LoadAnnotations")]
NAMES = ("voc20", "voc21", "context59", "context60", "coco-object", "coco-stuff", "cityscapes", "ade20k")


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


def dataset_of(name, root, **options):
    config = Config.fromfile(BASES / f"{name}.py").test_dataloader.dataset
    return DATASETS.build(dict(config, data_root=str(root), pipeline=PIPELINE, **options))


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder_is_said_with_the_remedy(name, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no .*Dataset needs .*--cfg-options test_dataloader.dataset.data_root"
    ):
        dataset_of(name, tmp_path)


def test_missing_label_maps_and_empty_folders_are_said(tmp_path):
    write(tmp_path / "images/val2017/1.jpg", np.zeros((2, 2, 3)))
    write(tmp_path / "annotations/val2017/1.png", np.zeros((2, 2)))
    with pytest.raises(FileNotFoundError, match=r"1 of 2 files.*1_labelTrainIds.png.*coco_stuff.py"):
        dataset_of("coco-stuff", tmp_path)
    (tmp_path / "images/val2017/1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"no \*.jpg in"):
        dataset_of("coco-stuff", tmp_path)


def test_voc_with_and_without_background(tmp_path):
    write(tmp_path / "JPEGImages/a.jpg", np.zeros((1, 4, 3)))
    write(tmp_path / "SegmentationClass/a.png", [[0, 1, 20, 255]])
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("a\n")
    assert dataset_of("voc21", tmp_path)[0]["gt_seg_map"].tolist() == [[0, 1, 20, 255]]
    without = dataset_of("voc20", tmp_path)
    assert without[0]["gt_seg_map"].tolist() == [[255, 0, 19, 255]]
    assert without.metainfo["classes"][0] == "aeroplane" and len(without.metainfo["palette"]) == 20


def test_coco_object_labels_are_made_from_coco_stuff(tmp_path):
    spec = importlib.util.spec_from_file_location("coco_object", ROOT / "tools/dataset_converters/coco_object.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    write(tmp_path / "images/val2017/1.jpg", np.zeros((1, 6, 3)))
    # COCO ids 1 person, 13 stop sign, 90 toothbrush, 92 banner (stuff), unlabelled; each minus one.
    write(tmp_path / "annotations/val2017/1.png", [[0, 12, 89, 91, 181, 255]])
    for _ in range(2):  # what is there already stays
        tool.main([str(tmp_path)])
    data = dataset_of("coco-object", tmp_path)
    labels = data[0]["gt_seg_map"][0].tolist()
    assert labels == [1, 12, 80, 0, 0, 0]
    assert [data.metainfo["classes"][label] for label in labels[:4]] == [
        "person",
        "stop sign",
        "toothbrush",
        "background",
    ]
    with pytest.raises(SystemExit, match="no label maps"):
        tool.main([str(tmp_path), "--splits", "train2017"])
