"""Miniature data sets in their official layouts, read through the data pipelines of the base configs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ovdense.datasets.doctor import dataset_names, load_description
from ovdense.datasets.doctor.descriptions import parse_values
from ovdense.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
BASES = ROOT / "configs" / "_base_" / "datasets"
SPEC = importlib.util.spec_from_file_location("miniatures", ROOT / "tests/datasets/miniatures.py")
miniatures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(miniatures)
PIPELINE = [dict(type="LoadImage"), dict(type="LoadAnnotations"), dict(type="mmseg.PackSegInputs")]
READERS = [(name, config) for name in dataset_names() for config in load_description(name)["configs"]]


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


def read(config, root, loader="test_dataloader", **options):
    dataset = Config.fromfile(BASES / f"{config}.py")[loader].dataset
    settings = dict(dataset, data_root=str(root), **options)
    settings.setdefault("pipeline", PIPELINE)
    return DATASETS.build(settings)


@pytest.mark.parametrize(("name", "config"), [item for item in READERS if item[1] != "coco_panoptic_lsj-1024"])
def test_a_miniature_is_read_through_the_config(name, config, tmp_path):
    description = miniatures.write_miniature(name, tmp_path)
    data = read(config, tmp_path)
    pictures = 12 if name == "acdc" else 3
    assert len(data) == pictures
    packed = data[0]
    assert packed["inputs"].shape[0] == 3 and packed["inputs"].dtype.is_floating_point is False
    if "labels" not in description:
        return
    classes = data.metainfo["classes"]
    found = packed["data_samples"].gt_sem_seg.data[0]
    assert tuple(found.shape) == miniatures.SIZE[::-1]  # the original size, whatever the picture is resized to
    labels = set(np.unique(np.stack([data[index]["data_samples"].gt_sem_seg.data[0] for index in range(3)])).tolist())
    ignored = parse_values(description["labels"].get("ignore", ""))
    numbers = set(range(len(classes)))
    void = data.ignore_index
    assert void == (255 if len(classes) < 256 else 65535) and labels <= numbers | {void}
    assert (void in labels) == bool(ignored or config in ("voc20", "context59"))
    assert len(labels - {void}) >= min(len(classes), 60) - 1
    if description.get("vocabulary") and config not in ("voc20", "context59"):
        values = sorted(parse_values(description["labels"]["values"]))
        assert len(values) == len(classes)


@pytest.mark.parametrize("config", ["acdc", "bdd100k", "gta5", "mapillary", "mapillary-19"])
def test_training_parts_are_read_too(config, tmp_path):
    miniatures.write_miniature(config, tmp_path)
    data = read(config, tmp_path, "train_dataloader")
    assert len(data) == (12 if config == "acdc" else 3)
    assert tuple(data[0]["inputs"].shape[1:]) <= (512, 512)
    assert "train" in data.get_data_info(0)["img_path"]


def test_cityscapes_to_train(tmp_path):
    miniatures.write_miniature("cityscapes", tmp_path)
    assert "/train/" in read("cityscapes_train_512", tmp_path, "train_dataloader").get_data_info(0)["img_path"]


def test_acdc_by_condition(tmp_path):
    miniatures.write_miniature("acdc", tmp_path)
    data = read("acdc", tmp_path, conditions=["night", "fog"])
    assert [data.get_data_info(index)["condition"] for index in range(6)] == ["night"] * 3 + ["fog"] * 3
    assert "/gt/night/val/" in data.get_data_info(0)["seg_map_path"]
    with pytest.raises(ValueError, match="conditions fog, night, rain, snow, got 'val' and"):
        read("acdc", tmp_path, conditions=["sun"])
    with pytest.raises(FileNotFoundError, match=r"ACDCDataset needs ACDC \(rgb_anon"):
        read("acdc", tmp_path / "none")


def test_points_are_scaled_with_the_picture(tmp_path):
    miniatures.write_miniature("shanghaitech-a", tmp_path)
    data = read("shanghaitech-a", tmp_path)
    assert data.get_data_info(0)["gt_points"].tolist() == [[1.5, 2.0], [3.0, 5.0]]
    assert data[1]["data_samples"].gt_points.points.tolist() == [[1.5, 2.0], [3.0, 6.0]]
    twice = dict(type="ovdense.Resize", scale=(24, 20), keep_ratio=True)
    data = read("shanghaitech-a", tmp_path, pipeline=[dict(type="LoadImage"), twice, dict(type="PackCrowdInputs")])
    assert data[0]["data_samples"].gt_points.points.tolist() == [[3.0, 4.0], [6.0, 10.0]]
    next((tmp_path / "test_data/ground-truth").glob("*_1.mat")).unlink()
    with pytest.raises(FileNotFoundError, match=r"no points of IMG_1.jpg.*GT_IMG_1.mat"):
        read("shanghaitech-a", tmp_path)


def test_affordances(tmp_path):
    miniatures.write_miniature("agd20k", tmp_path)
    sample = read("agd20k", tmp_path)[0]["data_samples"]
    assert sample.object == "knife" and read("agd20k", tmp_path).metainfo["classes"][sample.affordance] == "cut with"
    assert sample.gt_heat_map.data.shape == (1, 10, 12) and abs(sample.gt_heat_map.data.max().item() - 200 / 255) < 1e-6
    assert len(read("agd20k", tmp_path, setting="Unseen")) == 3
    with pytest.raises(FileNotFoundError, match="data_root holds Seen and Unseen"):
        read("agd20k", tmp_path / "none")


def test_lvis_has_no_file_names_and_boxes_stay(tmp_path):
    miniatures.write_miniature("lvis", tmp_path)
    data = read("ov_lvis", tmp_path)
    assert data.get_data_info(0)["img_path"].endswith("val2017/000000000001.jpg")
    assert data.get_data_info(0)["instances"][0]["bbox"] == [1, 1, 5, 4]
    assert len(data.metainfo["classes"]) == 1203
