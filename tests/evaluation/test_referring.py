"""Referring expressions: RefCOCO's files, and accuracies that can be counted."""

import json
import pickle
from pathlib import Path

import pytest

from ovdense.evaluation.referring import by_picture, read_references, referring_accuracy

INSTANCES = dict(
    images=[dict(id=1, file_name="a.jpg"), dict(id=2, file_name="b.jpg")],
    annotations=[
        dict(id=11, image_id=1, category_id=1, bbox=[0, 0, 10, 10]),
        dict(id=12, image_id=1, category_id=1, bbox=[50, 0, 10, 10]),
        dict(id=13, image_id=2, category_id=1, bbox=[0, 0, 10, 10]),
    ],
    categories=[dict(id=1, name="cat")],
)
REFS = [
    dict(ref_id=1, ann_id=12, image_id=1, split="val", sentences=[dict(sent="right cat"), dict(sent="the other")]),
    dict(ref_id=2, ann_id=13, image_id=2, split="testA", sentences=[dict(sent="cat")]),
]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(INSTANCES))
    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps(REFS, protocol=2))
    (tmp_path / "refs.json").write_text(json.dumps(REFS))
    return tmp_path


@pytest.mark.parametrize("name", ["refs(unc).p", "refs.json"])
def test_every_sentence_of_a_split_is_read(files, name):
    found = read_references(files / name, files / "instances.json", "val")
    assert [(one.sentence, one.file, one.target) for one in found] == [
        ("right cat", "a.jpg", 1),
        ("the other", "a.jpg", 1),
    ]
    assert found[0].boxes.tolist() == [[0, 0, 10, 10], [50, 0, 60, 10]]
    assert by_picture(read_references(files / name, files / "instances.json")) == {"a.jpg": [0, 1], "b.jpg": [2]}


def test_accuracy_by_overlap_and_by_choice(files):
    found = read_references(files / "refs.json", files / "instances.json")
    result = referring_accuracy(found, [[50, 0, 60, 10], [0, 0, 10, 10], [0, 0, 10, 6]])
    assert result["accuracy"] == pytest.approx(2 / 3) and result["choice"] == pytest.approx(1 / 3)
    assert result["line"] == "3 sentences, 2 pictures of 1.5 boxes, right where IoU is above 0.5"
    with pytest.raises(ValueError, match="3 sentences need as many boxes, got 0"):
        referring_accuracy(found, [])


def test_bad_files_are_refused(files):
    with pytest.raises(ValueError, match=r"no sentences of the split 'testC': it has \['testA', 'val'\]"):
        read_references(files / "refs.json", files / "instances.json", "testC")
    (files / "objects.p").write_bytes(pickle.dumps([Path("x")]))
    with pytest.raises(ValueError, match="plain lists and dicts, got an object pathlib"):
        read_references(files / "objects.p", files / "instances.json")
    (files / "lost.json").write_text(json.dumps([dict(REFS[0], ann_id=99)]))
    with pytest.raises(ValueError, match="reference 1 means box 99"):
        read_references(files / "lost.json", files / "instances.json")
