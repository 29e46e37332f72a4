"""Detections to YOLO, Label Studio and COCO, and back to the same boxes."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from ovdense.apis.label_files import read_label_studio, read_yolo, write_label_studio, write_yolo
from ovdense.apis.results import DetectionResult, coco_document

CLASSES = ("cat", 'a "dog" & <cow>')


def result(boxes=((10, 20, 110, 70), (0, 0, 200, 100)), scores=(0.75, 0.5), labels=(1, 0)):
    return DetectionResult(
        CLASSES,
        [[255, 0, 0], [0, 128, 255]],
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array(scores, np.float32),
        labels=np.array(labels, int),
        size=(100, 200),
        path="a.jpg",
    )


EMPTY = result((), (), ())


def test_yolo_round_trip(tmp_path):
    files = write_yolo([result(), EMPTY], tmp_path, ["a", "b"])
    assert [path.relative_to(tmp_path).as_posix() for path in files] == ["labels/a.txt", "labels/b.txt", "classes.txt"]
    assert files[0].read_text().splitlines()[0] == "1 0.300000 0.450000 0.500000 0.500000 0.750000"
    boxes, labels, scores = read_yolo(files[0], (100, 200))
    np.testing.assert_allclose(boxes, result().boxes, atol=1e-3)
    assert labels.tolist() == [1, 0] and scores.tolist() == [0.75, 0.5]
    assert files[1].read_text() == "" and len(read_yolo(files[1], (100, 200))[0]) == 0
    assert files[2].read_text().splitlines() == list(CLASSES)
    files[1].write_text("0 0.5 0.5\n")
    with pytest.raises(ValueError, match="line 1: a line is class x y width height"):
        read_yolo(files[1], (100, 200))


def test_label_studio_round_trip(tmp_path):
    files = write_label_studio([result(), EMPTY], tmp_path / "tasks.json", ["/a.jpg", "/b.jpg"])
    (boxes, labels, scores), (none, *_) = read_label_studio(files[0], CLASSES)
    np.testing.assert_allclose(boxes, result().boxes, atol=1e-4)
    assert labels.tolist() == [1, 0] and scores.tolist() == [0.75, 0.5] and len(none) == 0
    task = json.loads(files[0].read_text())[0]
    value = task["predictions"][0]["result"][0]["value"]
    assert (value["x"], value["y"], value["width"], value["height"]) == pytest.approx((5, 20, 50, 50))
    labels = ElementTree.fromstring(files[1].read_text()).find("RectangleLabels")
    assert [one.get("value") for one in labels] == list(CLASSES) and labels[1].get("background") == "#0080ff"
    again = write_label_studio([result(), EMPTY], tmp_path / "again.json", ["/a.jpg", "/b.jpg"])
    assert again[0].read_text() == files[0].read_text()
    with pytest.raises(ValueError, match="which is none of cat"):
        read_label_studio(files[0], ["cat"])


def test_coco_round_trip():
    document = json.loads(json.dumps(coco_document([result()])))
    boxes = np.array([one["bbox"] for one in document["annotations"]])
    boxes[:, 2:] += boxes[:, :2]
    np.testing.assert_allclose(boxes, result().boxes)
    assert [one["category_id"] for one in document["annotations"]] == [2, 1]


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "labels").write_text("a file where a folder should be")
    with pytest.raises(OSError, match="cannot write"):
        write_yolo([result()], tmp_path, ["a"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels"]
