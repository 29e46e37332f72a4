"""AP of groups and of LVIS's federated truth, against values worked out by hand and against the other evaluators."""

import json

import numpy as np
import pytest
import torch

from ovdense.datasets.open_vocab_det import vocabulary_meta
from ovdense.evaluation import OpenVocabCocoMetric, OpenVocabLVISMetric
from ovdense.evaluation.federated_ap import (
    PictureFound,
    PictureTruth,
    best_of_classes,
    best_of_picture,
    federated_precision,
    match,
)
from ovdense.structures import Vocabulary

NAMES = Vocabulary.parse(["cat", "dog", "cow", "bus"], groups=dict(base=["cat", "dog"], novel=["cow", "bus"]))


def found(number, rows):
    """mmdet's result of a picture from rows (label, score, x, y, w, h)."""
    rows = np.array(rows, float).reshape(-1, 6)
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
    return {}, dict(img_id=number, bboxes=boxes, scores=rows[:, 1], labels=rows[:, 0].astype(int))


def truth(tmp_path, rows, images=(1, 2), lists=None, frequency="fcrr"):
    """A COCO or LVIS json from rows (picture, label, x, y, w, h)."""
    document = dict(
        images=[dict(id=i, width=100, height=100, file_name=f"{i}.jpg", **(lists or {}).get(i, {})) for i in images],
        annotations=[
            dict(id=n, image_id=p, category_id=c + 1, bbox=[x, y, w, h], area=w * h, iscrowd=0)
            for n, (p, c, x, y, w, h) in enumerate(rows, 1)
        ],
        categories=[dict(id=i, name=name, frequency=f) for i, (name, f) in enumerate(zip(NAMES.classes, frequency), 1)],
    )
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(document))
    return str(path)


def metric(kind, path, protocol="a protocol", **options):
    built = kind(ann_file=path, **options)
    built.dataset_meta = vocabulary_meta(NAMES) | dict(protocol=protocol)
    return built


TRUTH = [(1, 0, 0, 0, 10, 10), (1, 2, 20, 20, 10, 10), (2, 2, 50, 50, 20, 20), (2, 1, 0, 0, 30, 30)]
FOUND = [
    found(2, [(2, 0.9, 50, 50, 20, 20), (1, 0.8, 0, 0, 30, 30), (3, 0.7, 5, 5, 5, 5)]),
    found(1, [(0, 0.9, 0, 0, 10, 10), (2, 0.95, 70, 70, 5, 5)]),
]
# cow: the best detection is false, the second true, one of two cows is never found: precision 1/2 up to recall 1/2,
# 51 of 101 recalls. cat and dog 1, bus has no truth.
COW = 0.5 * 51 / 101


@pytest.mark.parametrize("backend", ["pycocotools", "faster-coco-eval"])
def test_groups_are_means_over_their_classes_with_truth(tmp_path, backend):
    if backend != "pycocotools":
        pytest.importorskip("faster_coco_eval")
    built = metric(OpenVocabCocoMetric, truth(tmp_path, TRUTH), backend=backend, classwise=True)
    figures = built.compute_metrics(FOUND)
    assert figures["bbox_AP50_novel"] == pytest.approx(COW, abs=1e-9)
    assert figures["bbox_AP50_base"] == pytest.approx(1.0)
    assert figures["bbox_AP50_all"] == pytest.approx((2 + COW) / 3)
    assert figures["bbox_AP50_class/cow"] == pytest.approx(COW, abs=1e-9)
    assert np.isnan(figures["bbox_AP50_class/bus"])
    assert built.line("bbox") == (
        "a protocol: bbox, 4 names, 2 pictures, classes with truth 1/2 novel, 2/2 base, 3/4 all, at most 100 "
        "detections a picture and class, AP50 mean over classes at IoU .50, area all"
    )


def test_pictures_that_were_not_predicted_do_not_count_and_are_said(tmp_path):
    built = metric(OpenVocabCocoMetric, truth(tmp_path, TRUTH))
    figures = built.compute_metrics(FOUND[1:])  # picture 1: a cat that is found, a cow that is not
    assert figures["bbox_AP50_base"] == pytest.approx(1.0) and figures["bbox_AP50_novel"] == 0.0
    assert "1 of 2 pictures" in built.line("bbox")


def test_nothing_found_is_zero_and_not_an_error(tmp_path):
    figures = metric(OpenVocabCocoMetric, truth(tmp_path, TRUTH)).compute_metrics([found(1, []), found(2, [])])
    assert figures["bbox_AP50_all"] == 0.0 and figures["bbox_AP50_novel"] == 0.0


def test_the_table_and_its_protocol_go_to_json(tmp_path):
    path = tmp_path / "sub" / "classes.json"
    metric(OpenVocabCocoMetric, truth(tmp_path, TRUTH), table_file=str(path)).compute_metrics(FOUND)
    content = json.loads(path.read_text())
    assert [row["name"] for row in content["classes"]] == list(NAMES.classes)
    assert content["classes"][3] == dict(name="bus", group="novel", AP50=None, AP=None)
    assert content["protocol"]["protocol"] == "a protocol" and content["protocol"]["max_dets"] == 100


def test_unknown_groups_backends_and_masks_are_refused(tmp_path):
    path = truth(tmp_path, TRUTH)
    with pytest.raises(ValueError, match=r"backend is one of .*got 'fast'"):
        metric(OpenVocabCocoMetric, path, backend="fast")
    with pytest.raises(ValueError, match=r"groups \['base', 'novel'\], the metric asks for \['rare'\]"):
        metric(OpenVocabCocoMetric, path, groups=["rare"]).compute_metrics(FOUND)
    with pytest.raises(ValueError, match="masks"):
        metric(OpenVocabCocoMetric, path, metric="segm").compute_metrics(FOUND)


def lists(negative, not_exhaustive):
    return dict(neg_category_ids=list(negative), not_exhaustive_category_ids=list(not_exhaustive))


def test_lvis_counts_only_what_was_looked_for(tmp_path):
    # Picture 1 says nothing of cows beyond its own; picture 2 has not labelled every dog.
    path = truth(tmp_path, TRUTH, lists={1: lists([2], []), 2: lists([], [2])})
    rows = [
        found(1, [(0, 0.9, 0, 0, 10, 10), (3, 0.99, 0, 0, 9, 9), (1, 0.5, 0, 0, 9, 9)]),
        found(2, [(1, 0.9, 60, 60, 9, 9), (1, 0.8, 0, 0, 30, 30), (2, 0.9, 50, 50, 20, 20)]),
    ]
    built = metric(OpenVocabLVISMetric, path, fixed_ap=True)
    figures = built.compute_metrics(rows)
    # cat 1; dog: the unmatched one of picture 2 is ignored, so 1; cow: one of two found, 51 of 101 recalls.
    assert figures["bbox_APf"] == pytest.approx(1.0)
    assert figures["bbox_APc"] == pytest.approx(1.0)
    assert figures["bbox_APr"] == pytest.approx(51 / 101)
    assert figures["bbox_AP"] == pytest.approx((2 + 51 / 101) / 3)
    assert figures["bbox_fixed_AP"] == pytest.approx(figures["bbox_AP"])
    assert "at most 300 detections a picture" in built.line("bbox")


def test_lvis_limits_a_picture_over_all_classes_and_fixed_ap_a_class(tmp_path):
    path = truth(tmp_path, TRUTH, lists={1: lists([], []), 2: lists([], [])})
    rows = [
        found(1, [(0, 0.3, 0, 0, 10, 10), (2, 0.9, 20, 20, 10, 10)]),
        found(2, [(1, 0.9, 0, 0, 30, 30), (2, 0.8, 50, 50, 20, 20)]),
    ]
    figures = metric(OpenVocabLVISMetric, path, max_dets=1, fixed_ap=True, topk=1).compute_metrics(rows)
    assert figures["bbox_APf"] == 0.0  # the cat is second in its picture
    assert figures["bbox_fixed_APf"] == pytest.approx(1.0)  # but the best cat of all
    assert figures["bbox_fixed_APr"] == pytest.approx(51 / 101)  # one cow of two may stay


def test_lvis_needs_its_own_json(tmp_path):
    with pytest.raises(ValueError, match="no neg_category_ids"):
        metric(OpenVocabLVISMetric, truth(tmp_path, TRUTH)).compute_metrics(FOUND)


def test_matching_gives_every_object_to_one_detection():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 5, 5]], float)
    hit = match(boxes, [[0, 0, 10, 10]], np.array([0.5, 0.9]))
    assert hit.tolist() == [[True, False, False], [True, False, False]]
    hit = match(boxes[1:], [[0, 0, 10, 10]], np.array([0.5, 0.9]))  # IoU 0.8
    assert hit.tolist() == [[True, False], [False, False]]


def test_limits_keep_the_earlier_of_equals():
    one = PictureFound(np.array([0, 1, 0]), np.array([0.5, 0.5, 0.9]), np.zeros((3, 4)))
    assert best_of_picture(one, 2).labels.tolist() == [0, 0]
    best = best_of_classes([one, one], 1)
    assert [part.labels.tolist() for part in best] == [[1, 0], []]


def test_precision_agrees_with_faster_coco_evals_own_lvis_style():
    fast = pytest.importorskip("faster_coco_eval")
    rng = np.random.default_rng(3)
    images, annotations, entries, truths, founds = [], [], [], [], []
    for number in range(1, 13):
        objects = {}
        for label in rng.choice(4, 2, replace=False).tolist():
            boxes = np.concatenate([rng.uniform(0, 50, (2, 2)), rng.uniform(10, 40, (2, 2))], axis=1)
            objects[label] = boxes.tolist()
            for box in boxes.tolist():
                annotations.append(
                    dict(
                        id=len(annotations) + 1, image_id=number, category_id=label + 1, bbox=box, area=box[2] * box[3]
                    )
                )
        absent = [label for label in range(4) if label not in objects]
        partial = [next(iter(objects))]
        images.append(
            dict(id=number, width=100, height=100)
            | lists([label + 1 for label in absent[:1]], [label + 1 for label in partial])
        )
        truths.append(PictureTruth(objects, frozenset(absent[:1]), frozenset(partial)))
        labels, scores, shapes = [], [], []
        for label in range(4):
            for box in objects.get(label, [[5, 5, 20, 20]]) * 2:
                labels.append(label)
                scores.append(float(rng.random()))
                shapes.append((np.array(box) + rng.normal(0, 3, 4)).tolist())
                entries.append(dict(image_id=number, category_id=label + 1, bbox=shapes[-1], score=scores[-1]))
        founds.append(PictureFound(np.array(labels), np.array(scores), np.array(shapes)))
    ours = federated_precision(truths, founds, 4)
    annotations = [dict(one, iscrowd=0) for one in annotations]
    categories = [dict(id=i + 1, name=str(i), frequency="f") for i in range(4)]
    coco = fast.COCO(dict(images=images, annotations=annotations, categories=categories))
    judge = fast.COCOeval_faster(coco, coco.loadRes(entries), "bbox", lvis_style=True)
    judge.params.maxDets = [300]
    judge.evaluate()
    judge.accumulate()
    np.testing.assert_allclose(ours, judge.eval["precision"][:, :, :, 0, -1], atol=1e-12)


def test_the_truth_of_a_test_is_the_file_of_its_dataset(tmp_path):
    """The samples of a test carry no truth: without ``ann_file`` the dataset's meta names the file."""
    built = OpenVocabCocoMetric(metric="bbox")
    built.dataset_meta = vocabulary_meta(NAMES) | dict(protocol="p", ann_file=truth(tmp_path, TRUTH))
    for _, one in FOUND:
        given = {key: torch.as_tensor(one[key]) for key in ("bboxes", "scores", "labels")}
        built.process({}, [dict(img_id=one["img_id"], ori_shape=(100, 100), pred_instances=given)])
    assert built.evaluate(2)["ov_coco/bbox_AP50_novel"] == pytest.approx(COW, abs=1e-9)
    rows = {row["name"]: row for row in built.class_table["bbox"]}
    assert rows["cow"]["group"] == "novel" and rows["cow"]["AP50"] == pytest.approx(COW, abs=1e-9)
    assert rows["bus"]["AP50"] is None
