"""AP of stored predictions on real annotations equals that of pycocotools and of the package lvis."""

import contextlib
import io
import json

import cv2
import numpy as np
import pytest

from ovdense.datasets import OpenVocabDetDataset
from ovdense.evaluation import OpenVocabCocoMetric, OpenVocabLVISMetric
from ovdense.models.vocabulary_files import load_vocabulary

PHOTOS = 40
SIDE, STRIDES = 416, (8, 16, 32)


def detect(network, image: np.ndarray, score_thr: float = 0.05, iou_thr: float = 0.45) -> dict:
    """``bboxes`` (N, 4) xyxy, ``scores`` (N,), ``labels`` (N,) of a BGR picture."""
    ratio = SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=ratio, fy=ratio)
    canvas = np.full((SIDE, SIDE, 3), 114, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:SIDE, :SIDE]
    network.setInput(canvas.astype(np.float32).transpose(2, 0, 1)[None])
    rows = network.forward()[0].copy()
    rows[:, :4] = _decoded(rows[:, :4])
    scores = rows[:, 4] * rows[:, 5:].max(axis=1)
    labels = rows[:, 5:].argmax(axis=1)
    boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], axis=1) / ratio
    shifted = boxes + 10_000.0 * labels[:, None]  # suppression within a class
    xywh = np.concatenate([shifted[:, :2], shifted[:, 2:] - shifted[:, :2]], axis=1)
    keep = np.array(cv2.dnn.NMSBoxes(xywh.tolist(), scores.tolist(), score_thr, iou_thr), int).reshape(-1)
    return dict(bboxes=boxes[keep].astype(np.float32), scores=scores[keep], labels=labels[keep])


def _decoded(raw: np.ndarray) -> np.ndarray:
    """Centre and size in pixels of the canvas."""
    grids, strides = [], []
    for stride in STRIDES:
        count = SIDE // stride
        y, x = np.mgrid[:count, :count]
        grids.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((count * count, 1), stride))
    grid, stride = np.concatenate(grids), np.concatenate(strides)
    return np.concatenate([(raw[:, :2] + grid) * stride, np.exp(raw[:, 2:]) * stride], axis=1)


@pytest.fixture(scope="module")
def predictions():
    """Function from photo folder and network to YOLOX's predictions by file name, computed once."""
    kept: dict = {}

    def of(folder, network_file):
        if not kept:
            network = cv2.dnn.readNetFromONNX(str(network_file))
            for path in sorted(folder.glob("*.jpg"))[:PHOTOS]:
                kept[path.name] = detect(network, cv2.imread(str(path)))
        return kept

    return of


def coco_eval(file, entries, pictures, categories, kind="bbox"):
    """pycocotools' precision (10, 101, K) at all areas and 100 detections."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        evaluation = COCOeval(truth, truth.loadRes(entries), kind)
        evaluation.params.imgIds, evaluation.params.catIds = pictures, categories
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1]


def test_boxes_of_a_real_detector_score_as_in_pycocotools(real, predictions):
    coco128 = real("coco128")
    file, folder = coco128 / "instances_train128.json", coco128 / "images" / "train2017"
    found = predictions(folder, real("det_models") / "yolox_nano_416.onnx")
    dataset = OpenVocabDetDataset(
        ann_file=str(file), data_prefix=dict(img=str(folder)), vocabulary="coco-65", test_mode=True, pipeline=[]
    )
    assert len(dataset) == 128 and len(dataset.metainfo["classes"]) == 65
    every, names = load_vocabulary("coco-80").classes, dataset.metainfo["classes"]
    label_of = {every.index(name): label for label, name in enumerate(names)}
    metric = OpenVocabCocoMetric(metric="bbox")
    metric.dataset_meta = dataset.metainfo
    results, entries, pictures = [], [], []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        one = found.get(info["img_path"].rsplit("/", 1)[-1])
        if one is None:
            continue
        keep = np.isin(one["labels"], list(label_of))
        labels = np.array([label_of[label] for label in one["labels"][keep]], int)
        boxes, scores = one["bboxes"][keep], one["scores"][keep]
        results.append(
            (dict(img_id=info["img_id"]), dict(img_id=info["img_id"], bboxes=boxes, scores=scores, labels=labels))
        )
        pictures.append(info["img_id"])
        for box, score, label in zip(boxes.tolist(), scores.tolist(), labels):
            xywh = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            category = dataset.cat_ids[label]
            entries.append(dict(image_id=info["img_id"], category_id=category, bbox=xywh, score=score))
    figures = metric.compute_metrics(results)
    precision = coco_eval(file, entries, pictures, sorted(dataset.cat_ids))
    order = np.argsort(np.argsort(dataset.cat_ids))
    for group in ("novel", "base"):
        members = [order[index] for index in dataset.metainfo["groups"][group]]
        values = precision[0][:, members]
        assert figures[f"bbox_AP50_{group}"] == pytest.approx(values[values > -1].mean(), abs=1e-12)
    assert figures["bbox_AP_all"] == pytest.approx(precision[precision > -1].mean(), abs=1e-12)
    assert 0.2 < figures["bbox_AP50_all"] < 0.9  # a real detector: labels and boxes are in their places
    assert "65 names, 40 of 128 pictures" in metric.line("bbox")


def test_lvis_precision_is_that_of_its_package(real, tmp_path, monkeypatch):
    lvis = pytest.importorskip("lvis")
    monkeypatch.setattr(np, "float", float, raising=False)  # lvis 0.5.3 is older than NumPy 1.24
    file = real("lvis_val100") / "lvis_val_100.json"
    document = json.loads(file.read_text())
    dataset = OpenVocabDetDataset(ann_file=str(file), data_prefix=dict(img="images"), test_mode=True, pipeline=[])
    metric = OpenVocabLVISMetric(metric="bbox")
    metric.dataset_meta = dataset.metainfo
    label_of = {category: label for label, category in enumerate(dataset.cat_ids)}
    generator = np.random.default_rng(0)
    found = {image["id"]: [] for image in document["images"]}
    for one in document["annotations"]:
        for _ in range(2):
            moved = np.array(one["bbox"]) + generator.normal(0, 0.1, 4) * one["bbox"][2]
            moved[2:] = np.maximum(moved[2:], 1)
            label = one["category_id"] if generator.random() < 0.8 else int(generator.choice(dataset.cat_ids))
            found[one["image_id"]].append((label, moved, round(float(generator.random()), 6)))
    results, entries = [], []
    for picture, rows in found.items():
        boxes = np.array([row[1] for row in rows], np.float64).reshape(-1, 4)
        labels, scores = (np.array([row[i] for row in rows]) for i in (0, 2))
        entries += [
            dict(image_id=picture, category_id=int(label), bbox=box.tolist(), score=float(score))
            for label, box, score in zip(labels, boxes, scores)
        ]
        boxes[:, 2:] += boxes[:, :2]
        shown = dict(bboxes=boxes, scores=scores, labels=np.array([label_of[int(one)] for one in labels], int))
        results.append((dict(img_id=picture), dict(img_id=picture, **shown)))
    figures = metric.compute_metrics(results)
    (tmp_path / "results.json").write_text(json.dumps(entries))
    official = lvis.LVISEval(str(file), str(tmp_path / "results.json"), "bbox")
    official.run()
    for name in ("AP", "APr", "APc", "APf", "AP50"):
        assert figures[f"bbox_{name}"] == pytest.approx(official.results[name], abs=2e-4), name
