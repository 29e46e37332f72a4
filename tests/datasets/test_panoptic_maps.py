"""Panoptic annotations from COCO's files, by hand."""

import json

import numpy as np
import pytest
from mmdet.datasets import CocoPanopticDataset
from mmdet.datasets.transforms import PackDetInputs, RandomFlip
from PIL import Image

from ovdense.datasets.panoptic_maps import ADE20KPanopticMapsDataset, CocoPanopticMapsDataset
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
