"""Panoptic and instance annotations of ADE20K, by hand, read back through the base configs."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmdet.datasets import ADE20KInstanceDataset, ADE20KPanopticDataset
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.datasets import ADE20KDataset
from PIL import Image

from ovdense.datasets.doctor import examine
from ovdense.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("ade", ROOT / "tools/dataset_converters/ade20k_things.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
SEMANTIC = [name.strip() for name in ADE20KDataset.METAINFO["classes"]]
THINGS = ADE20KInstanceDataset.METAINFO["classes"]


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    """Two beds on a floor before a wall; sky wholly under the second bed; a void pixel."""
    bed, wall, floor, sky = (SEMANTIC.index(name) + 1 for name in ("bed", "wall", "floor", "sky"))
    semantic = [[wall, wall, wall, 0], [bed, floor, sky, bed]]
    instances = np.zeros((2, 4, 3))
    thing = THINGS.index("bed") + 1
    instances[1, 0], instances[1, 2:] = (thing, 1, 0), (thing, 2, 0)
    save(tmp_path / "images/validation/a.jpg", np.zeros((2, 4, 3)))
    save(tmp_path / "annotations/validation/a.png", semantic)
    save(tmp_path / "annotations_instance/validation/a.png", instances)
    return tmp_path


def read(name, root):
    with DefaultScope.overwrite_default_scope("ovdense"):
        dataset = Config.fromfile(ROOT / f"configs/_base_/datasets/{name}.py").test_dataloader.dataset
        data = DATASETS.build(dict(dataset, data_root=str(root)))
        return data, data[0]["data_samples"]


def test_panoptic_and_instances(root, capsys):
    tool.main([str(root), "--splits", "val"])
    assert "1 pictures, 4 segments" in capsys.readouterr().out
    data, sample = read("ade20k_panoptic_800", root)
    names = data.metainfo["classes"]
    segments = [
        (names[one["label"]].split(",")[0], int((sample.panoptic["ids"] == one["id"]).sum()))
        for one in sample.panoptic["segments"]
    ]
    assert segments == [("wall", 3), ("floor", 1), ("bed", 1), ("bed", 2)]
    data, sample = read("ade20k_instance_800", root)
    assert [data.metainfo["classes"][label] for label in sample.gt_instances.labels] == ["bed", "bed"]
    for name in ("ade20k-panoptic", "ade20k-instance"):
        assert examine(name, root, parts=["val"], subset=True).ok
    tool.main([str(root), "--splits", "val"])
    assert capsys.readouterr().out.count("there already") == 2


def test_every_class_has_its_place():
    table = tool.panoptic_of_semantic()
    assert sorted(table.values()) == list(range(150))
    things = len(ADE20KPanopticDataset.METAINFO["thing_classes"])
    in_order = [SEMANTIC[label - 1] for label in sorted(table) if table[label] < things]
    assert [table[label] for label in sorted(table) if table[label] < things] == list(range(100))
    assert sum(name in title for name, title in zip(in_order, THINGS)) >= 98  # instances have the same order


def test_missing_instances_are_said(root):
    with pytest.raises(SystemExit, match=r"annotations_instance.tar"):
        tool.main([str(root), "--splits", "train"])
    Image.new("L", (4, 2)).save(root / "annotations_instance/validation/a.png")
    with pytest.raises(SystemExit, match="no map of instances"):
        tool.main([str(root), "--splits", "val"])
