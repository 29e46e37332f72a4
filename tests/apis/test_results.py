"""Results of known masks and boxes: areas, label files, COCO json, all worked out by hand."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from ovdense.apis import DetectionResult, OutputError, SegmentationResult, coco_document
from ovdense.apis.files import ensure_writable, write_bytes, write_image

PALETTE = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def segments(labels, classes=("cat", "dog", "grass"), **options):
    return SegmentationResult(classes, PALETTE, labels=np.asarray(labels), **options)


def boxes(**options):
    return DetectionResult(
        ("cat", "dog", "grass"),
        PALETTE,
        boxes=np.array([[1.0, 0, 3, 2], [0, 0, 4, 2]]),
        scores=np.array([0.9, 0.3]),
        labels=np.array([2, 0]),
        size=(2, 4),
        **options,
    )


def test_areas_and_masks_by_name():
    result = segments([[0, 0, 0, 2], [0, 2, 2, 255]])
    assert result.areas() == {"cat": 0.5, "grass": 0.375}
    assert result.mask("grass").tolist() == [[False, False, False, True], [False, True, True, False]]
    with pytest.raises(ValueError, match="cat, dog, grass, got 'cow'"):
        result.mask("cow")


@pytest.mark.parametrize(("count", "kind"), [(1, np.uint8), (255, np.uint8), (256, np.uint16), (847, np.uint16)])
def test_label_files_hold_every_class(tmp_path, count, kind):
    names = tuple(f"c{index}" for index in range(count))
    labels = np.array([[0, count - 1, -1]], np.int64)
    path = segments(labels, names).save_mask(tmp_path / "labels.png")
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == kind
    assert stored.tolist() == [[0, count - 1, np.iinfo(kind).max]]


def test_labels_of_256_classes_are_not_confused_with_no_class():
    labels = segments(np.array([[255, 256, 300]]), tuple(map(str, range(257)))).labels
    assert labels.tolist() == [[255, 256, 65535]]


def test_segments_as_coco(tmp_path):
    annotations = segments([[0, 0, 0, 2], [0, 2, 2, 255]]).to_coco(image_id=7)
    assert [item["category_id"] for item in annotations] == [1, 3]
    assert [item["bbox"] for item in annotations] == [[0, 0, 3, 2], [1, 0, 3, 2]]
    assert [item["area"] for item in annotations] == [4, 3]
    assert coco_mask.decode(annotations[1]["segmentation"]).tolist() == [[0, 0, 0, 1], [0, 1, 1, 0]]
    assert json.loads(json.dumps(annotations)) == annotations


def test_boxes_as_coco_and_back(tmp_path, capsys):
    masks = np.zeros((2, 2, 4), bool)
    masks[0, :, 1:3] = masks[1] = True
    document = coco_document([boxes(masks=masks, path="x.jpg"), boxes()])
    assert document["images"][0] == dict(id=1, file_name="x.jpg", height=2, width=4)
    assert [item["id"] for item in document["annotations"]] == [1, 2, 3, 4]
    first = document["annotations"][0]
    assert first["bbox"] == [1, 0, 2, 2] and first["category_id"] == 3 and first["area"] == 4
    assert "segmentation" not in document["annotations"][2] and document["annotations"][2]["image_id"] == 2
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert COCO(str(tmp_path / "a.json")).annToMask(first).tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]


def test_choosing_objects():
    result = boxes()
    assert len(result.above(0.5)) == 1 and result.above(0.5).labels.tolist() == [2]
    assert result.top(1).scores.tolist() == [0.9] and len(result.above(0.95)) == 0
    assert result.counts() == {"cat": 1, "grass": 1}


def test_supervision_adapter():
    supervision = pytest.importorskip("supervision")
    detections = boxes().to_supervision()
    assert isinstance(detections, supervision.Detections)
    assert detections["class_name"].tolist() == ["grass", "cat"]


def test_plot_takes_its_picture_from_anywhere(tmp_path):
    Image.new("RGB", (4, 2), (9, 9, 9)).save(tmp_path / "x.png")
    labels = [[0, 0, 0, 2], [0, 2, 2, 255]]
    assert segments(labels, path=str(tmp_path / "x.png")).plot().shape[1] == 640
    assert segments(labels).plot(np.zeros((2, 4, 3), np.uint8), legend=False).shape == (320, 640, 3)
    with pytest.raises(ValueError, match="keeps no picture"):
        segments(labels).plot()
    assert cv2.imread(str(boxes(path=str(tmp_path / "x.png")).save_plot(tmp_path / "p.jpg"))).shape[1] == 640


def test_files_are_whole_or_absent(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"old")
    write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new" and (tmp_path / "file").stat().st_mode & 0o444

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_bytes(tmp_path / "file", b"newer")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"new"


def test_unusable_targets_are_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file/sub"):
        ensure_writable(tmp_path / "file" / "sub")
    with pytest.raises(OutputError, match="no image format"):
        write_image(tmp_path / "picture.xyz", np.zeros((2, 2, 3), np.uint8))
