"""PhraseCut's layout in miniature, folders of masks, and the pipeline of phrases."""

import json

import cv2
import numpy as np
import pytest
import torch

from ovdense.datasets import PhraseCutDataset, PhraseFolderDataset
from ovdense.datasets.transforms import PickPhrase

PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="ovdense.LoadPhraseMask"),
    dict(type="ovdense.ObjectCrop", min_share=0.01),
    dict(type="ovdense.LoadPromptImage", size=24),
    dict(type="ovdense.PackPhraseInputs"),
]


@pytest.fixture
def phrasecut(tmp_path):
    (tmp_path / "images").mkdir()
    tasks = []
    for image_id, phrase in ((1, "red square"), (2, "red square"), (3, "tree"), (61564, "tree")):
        picture = np.full((30, 40, 3), 60 + image_id % 100, np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{image_id}.jpg"), picture)
        ring = [[10, 5], [19, 5], [19, 14], [10, 14]]
        tasks.append(dict(image_id=image_id, phrase=phrase, Polygons=[[ring]], instance_boxes=[[10, 5, 10, 10]]))
    (tmp_path / "refer_train.json").write_text(json.dumps(tasks))
    sizes = [dict(image_id=task["image_id"], width=40, height=30) for task in tasks]
    (tmp_path / "image_data_split.json").write_text(json.dumps(sizes))
    return tmp_path


def test_phrasecut_is_read_as_it_is_published(phrasecut):
    data = PhraseCutDataset(data_root=str(phrasecut), pipeline=PIPELINE, prompt_prob=1.0)
    assert len(data) == 3  # one picture's annotations state a wrong size
    packed = data[0]
    assert packed["inputs"].shape == (3, 30, 30)
    sample = packed["data_samples"]
    assert sample.metainfo["phrase"] == "red square" and sample.metainfo["phrase_class"] == 0
    assert int(sample.gt_sem_seg.data.sum()) == 100  # 10 x 10 pixels, ends included
    assert sample.prompt_img.data.shape == (3, 24, 24)
    assert "prompt_img" not in data[2]["data_samples"]  # the only picture of its phrase
    with pytest.raises(ValueError, match="more than min_area"):
        PhraseCutDataset(data_root=str(phrasecut), min_area=0.2, pipeline=PIPELINE)


def test_negatives_have_an_empty_mask(phrasecut):
    data = PhraseCutDataset(data_root=str(phrasecut), pipeline=PIPELINE, negative_prob=1.0)
    sample = data[0]["data_samples"]
    assert sample.metainfo["phrase"] == "tree" and int(sample.gt_sem_seg.data.sum()) == 0


def test_missing_annotations_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"refer_val\.json"):
        PhraseCutDataset(data_root=str(tmp_path), split="val", pipeline=[])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks" / "red_cup").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images" / "a.jpg"), np.zeros((20, 30, 3), np.uint8))
    mask = np.zeros((20, 30), np.uint8)
    mask[:5] = 255
    cv2.imwrite(str(tmp_path / "masks" / "red_cup" / "a.png"), mask)
    return tmp_path


def test_folders_of_masks(folder):
    steps = [PIPELINE[0], PIPELINE[1], PIPELINE[-1]]
    data = PhraseFolderDataset(data_root=str(folder), pipeline=steps)
    sample = data[0]["data_samples"]
    assert sample.metainfo["phrase"] == "red cup"
    assert torch.equal(sample.gt_sem_seg.data[0].sum(1), torch.tensor([30] * 5 + [0] * 15))
    (folder / "images" / "a.jpg").rename(folder / "images" / "b.jpg")
    with pytest.raises(FileNotFoundError, match="has no picture of its name"):
        PhraseFolderDataset(data_root=str(folder), pipeline=steps)


def test_a_phrase_is_picked_from_label_maps():
    labels = np.array([[0, 0, 2, 255]], np.uint8)
    picked = PickPhrase(classes=["sky", "tree", "car"], negative_prob=0.0)(dict(gt_seg_map=labels))
    expected = dict(sky=[1, 1, 0, 255], car=[0, 0, 1, 255])
    assert picked["gt_seg_map"][0].tolist() == expected[picked["phrase"]]
    absent = PickPhrase(classes=["sky", "tree", "car"], negative_prob=1.0)(dict(gt_seg_map=labels))
    assert absent["phrase"] == "tree" and absent["gt_seg_map"][0].tolist() == [0, 0, 0, 255]
