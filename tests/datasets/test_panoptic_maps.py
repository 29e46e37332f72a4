"""Panoptic annotations from COCO's files, by hand."""

import json

import numpy as np
import pytest
from mmdet.datasets import CocoPanopticDataset
from mmdet.datasets.transforms import PackDetInputs, RandomFlip
from PIL import Image

from ovdense.datasets.panoptic_maps import (
    ADE20KPanopticMapsDataset,
    CityscapesPanopticMapsDataset,
    CocoPanopticMapsDataset,
)
from ovdense.datasets.transforms import LoadPanopticMap, SemanticFromPanoptic
from ovdense.models.vocabulary_files import load_vocabulary

IDS = np.array([[7, 7, 300, 300], [7, 7, 0, 70000]], np.int32)  # a person, grass, void, a crowd of cats


@pytest.fixture
def folder(tmp_path):
    colors = np.stack([IDS % 256, IDS // 256 % 256, IDS // 65536], -1).astype(np.uint8)
    (tmp_path / "maps").mkdir()
    Image.fromarray(colors).save(tmp_path / "maps" / "a.png")
    Image.fromarray(colors).save(tmp_path / "a.jpg")
    names = CocoPanopticDataset.METAINFO["classes"]
    categories = [dict(id=place + 1, name=name, isthing=int(place < 80)) for place, name in enumerate(names)]
    number = {category["name"]: category["id"] for category in categories}
    segments = [
        dict(id=7, category_id=number["person"], bbox=[0, 0, 2, 2], area=4, iscrowd=0),
        dict(id=300, category_id=number["grass-merged"], bbox=[2, 0, 2, 1], area=2, iscrowd=0),
        dict(id=70000, category_id=number["cat"], bbox=[3, 1, 1, 1], area=1, iscrowd=1),
    ]
    content = dict(
        images=[dict(id=1, file_name="a.jpg", height=2, width=4)],
        annotations=[dict(image_id=1, file_name="a.png", segments_info=segments)],
        categories=categories,
    )
    (tmp_path / "a.json").write_text(json.dumps(content))
    return tmp_path


def test_coco_files_become_truth_for_the_metric_and_for_training(folder):
    data = CocoPanopticMapsDataset(
        data_root=str(folder), ann_file="a.json", data_prefix=dict(img="", seg="maps"), test_mode=True, pipeline=[]
    )
    grass = data.metainfo["classes"].index("grass-merged")
    results = LoadPanopticMap().transform({**data.get_data_info(0), "img": np.zeros((2, 4, 3), np.uint8)})
    assert np.array_equal(results["panoptic"]["ids"], IDS)
    assert results["panoptic"]["segments"] == [
        dict(id=7, label=0, iscrowd=0),
        dict(id=300, label=grass, iscrowd=0),
        dict(id=70000, label=15, iscrowd=1),
    ]
    assert results["gt_seg_map"].tolist() == [[0, 0, grass, grass], [0, 0, 255, 255]]
    assert results["gt_masks"].masks.tolist() == [[[1, 1, 0, 0], [1, 1, 0, 0]]]
    assert results["gt_bboxes"].tensor.tolist() == [[0.0, 0.0, 2.0, 2.0]]
    results = RandomFlip(prob=1.0).transform({**results, "img_shape": (2, 4)})
    sample = PackDetInputs(meta_keys=("panoptic",)).transform(results)["data_samples"]
    assert sample.gt_sem_seg.sem_seg[0].tolist() == [[grass, grass, 0, 0], [255, 255, 0, 0]]
    assert sample.gt_instances.labels.tolist() == [0] and sample.gt_instances.masks.masks[0, 0].tolist() == [0, 0, 1, 1]
    assert len(data.metainfo["groups"]["stuff"]) == 53


def test_vocabularies_follow_the_datasets():
    for dataset, name in ((CocoPanopticMapsDataset, "coco-133"), (ADE20KPanopticMapsDataset, "ade20k-panoptic-150")):
        vocabulary, meta = load_vocabulary(name), dataset.METAINFO
        assert len(meta["classes"]) == vocabulary.num_classes
        assert vocabulary.group("thing") == tuple(range(len(meta["thing_classes"])))
        own = [title.split(", ")[0] for title in meta["classes"]]
        assert sum(first != second for first, second in zip(own, vocabulary.classes)) <= 3  # names that repeat


def test_semantic_labels_of_panoptic_truth():
    panoptic = dict(ids=IDS, segments=[dict(id=7, label=3, iscrowd=0), dict(id=70000, label=4, iscrowd=1)])
    found = SemanticFromPanoptic().transform(dict(panoptic=panoptic))["gt_seg_map"]
    assert found.tolist() == [[3, 3, 255, 255], [3, 3, 255, 255]]
    with pytest.raises(ValueError, match="label 255 is a class"):
        SemanticFromPanoptic().transform(dict(panoptic=dict(ids=IDS, segments=[dict(id=7, label=255)])))


def test_a_missing_map_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no panoptic map .*b\.png"):
        LoadPanopticMap().transform(dict(seg_map_path=str(tmp_path / "b.png"), segments_info=[]))


def test_cityscapes_files_as_its_scripts_write_them(tmp_path):
    name = "frankfurt_000000_000294"
    ids = np.array([[24001, 24001, 7, 7], [24002, 26, 0, 0]], np.int32)  # persons, road, a crowd of cars, void
    maps, city = tmp_path / "gtFine" / "cityscapes_panoptic_val", tmp_path / "leftImg8bit" / "val" / "frankfurt"
    maps.mkdir(parents=True)
    city.mkdir(parents=True)
    colors = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8)
    Image.fromarray(colors).save(maps / f"{name}_gtFine_panoptic.png")
    Image.fromarray(colors).save(city / f"{name}_leftImg8bit.png")
    segments = [
        dict(id=24001, category_id=24, bbox=[0, 0, 2, 1], area=2, iscrowd=0),
        dict(id=24002, category_id=24, bbox=[0, 1, 1, 1], area=1, iscrowd=0),
        dict(id=7, category_id=7, bbox=[2, 0, 2, 1], area=2, iscrowd=0),
        dict(id=26, category_id=26, bbox=[1, 1, 1, 1], area=1, iscrowd=1),
    ]
    # In the order of Cityscapes' labels, stuff first.
    names = ((7, "road", 0), (24, "person", 1), (26, "car", 1))
    categories = [dict(id=number, name=word, isthing=thing) for number, word, thing in names]
    picture = dict(id=name, file_name=f"{name}_gtFine_leftImg8bit.png", height=2, width=4)
    annotation = dict(image_id=name, file_name=f"{name}_gtFine_panoptic.png", segments_info=segments)
    content = dict(images=[picture], annotations=[annotation], categories=categories)
    path = tmp_path / "gtFine" / "cityscapes_panoptic_val.json"
    path.write_text(json.dumps(content))
    folders = dict(img="leftImg8bit/val/", seg="gtFine/cityscapes_panoptic_val/")
    options = dict(data_root=str(tmp_path), ann_file="gtFine/cityscapes_panoptic_val.json", data_prefix=folders)
    data = CityscapesPanopticMapsDataset(**options, test_mode=True, pipeline=[])
    assert data.metainfo["classes"] == load_vocabulary("cityscapes-panoptic-19").classes
    person, road, car = (data.metainfo["classes"].index(word) for word in ("person", "road", "car"))
    assert (person, car) == (0, 2) and road == 8 and data.metainfo["groups"]["thing"] == list(range(8))
    info = data.get_data_info(0)
    assert info["img_path"] == str(city / f"{name}_leftImg8bit.png")
    results = LoadPanopticMap().transform({**info, "img": np.zeros((2, 4, 3), np.uint8)})
    assert np.array_equal(results["panoptic"]["ids"], ids)
    assert results["panoptic"]["segments"] == [
        dict(id=24001, label=person, iscrowd=0),
        dict(id=24002, label=person, iscrowd=0),
        dict(id=7, label=road, iscrowd=0),
        dict(id=26, label=car, iscrowd=1),
    ]
    categories[0]["name"] = "parking"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"classes \['parking'\] beside the 19.*createPanopticImgs"):
        CityscapesPanopticMapsDataset(**options, test_mode=True, pipeline=[])
