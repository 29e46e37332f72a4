"""Panoptic truth in COCO's format: read for the metric and for training, from mmdet's datasets and real files."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmdet.datasets import ADE20KPanopticDataset, CocoPanopticDataset
from mmengine.registry import DefaultScope

from ovdense.datasets.panoptic_files import PanopticFiles, read_segment_ids, segments_of_mmdet, write_segment_ids
from ovdense.evaluation import PanopticQuality

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
META = ("img_id", "img_path", "ori_shape", "img_shape", "seg_map_path", "segments_info")
PIPELINE = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadPanopticAnnotations"),
    dict(type="mmdet.PackDetInputs", meta_keys=META),
]
needs = {
    name: pytest.mark.skipif(not (REAL / name).is_dir(), reason=f"needs ../shared/real/{name}")
    for name in ("coco_panoptic_samples", "ade20k_samples")
}


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope("ovdense"):
        yield


def write_truth(folder, ids, segments, categories, size=None):
    """A COCO panoptic json with one picture, 1.jpg of the id 7."""
    height, width = ids.shape
    (folder / "seg").mkdir(parents=True)
    write_segment_ids(folder / "seg" / "1.png", ids)
    for one in segments:
        mask = ids == one["id"]
        rows, cols = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        box = [cols[0], rows[0], cols[-1] - cols[0] + 1, rows[-1] - rows[0] + 1]
        one.update(area=int(mask.sum()), bbox=[int(value) for value in box])
    content = dict(
        images=[dict(id=7, file_name="1.jpg", height=height, width=width)],
        annotations=[dict(image_id=7, file_name="1.png", segments_info=segments)],
        categories=categories,
    )
    (folder / "truth.json").write_text(json.dumps(content))
    return folder / "truth.json", folder / "seg"


def perfect(truth, count):
    """The panoptic map that is the truth; crowds and void are left void."""
    predicted = np.full(truth["ids"].shape, count)
    for number, one in enumerate(truth["segments"], start=1):
        if not one["iscrowd"]:
            predicted[truth["ids"] == one["id"]] = one["label"] + 1000 * number
    return predicted


def score(metric, meta, sample, predicted):
    metric.dataset_meta = meta
    metric.process({}, [dict(sample, pred_panoptic_seg=dict(sem_seg=predicted[None]))])
    return metric.evaluate(1)


def test_ids_are_red_green_blue(tmp_path):
    ids = np.array([[0, 255, 256], [65536, 256**3 - 1, 4_000_001]])
    write_segment_ids(tmp_path / "ids.png", ids)
    np.testing.assert_array_equal(read_segment_ids(tmp_path / "ids.png"), ids)


CATEGORIES = [dict(id=9, name="cat", isthing=1), dict(id=4, name="sky", isthing=0), dict(id=5, name="sea", isthing=0)]
IDS = np.array([[300, 300, 300, 70000], [300, 300, 0, 70000], [9, 9, 9, 9], [12, 12, 12, 12]])


def segments():
    return [
        dict(id=300, category_id=9, iscrowd=0),
        dict(id=70000, category_id=9, iscrowd=1),
        dict(id=9, category_id=4, iscrowd=0),
        dict(id=12, category_id=5, iscrowd=0),
    ]


def test_files_are_read_by_category_names(tmp_path):
    truth = PanopticFiles(*write_truth(tmp_path, IDS, segments(), CATEGORIES), ("sky", "cat"))[7]
    assert truth["segments"] == [
        dict(id=300, label=1, iscrowd=0),
        dict(id=70000, label=1, iscrowd=1),
        dict(id=9, label=0, iscrowd=0),
    ]
    np.testing.assert_array_equal(truth["ids"], np.where(IDS == 12, 0, IDS))  # the sea is no class: void


def test_quality_from_files_by_hand(tmp_path):
    """A cat of 5 pixels is found with 4 and one of void, which does not count; the crowd's pixels are no error."""
    ann_file, folder = write_truth(tmp_path, IDS, segments(), CATEGORIES)
    predicted = np.array([[1, 1, 1, 1001], [1, 2, 1, 1001], [0, 0, 2, 2], [2, 2, 2, 2]])
    metric = PanopticQuality(groups=("thing", "stuff"), ann_file=str(ann_file), seg_prefix=str(folder))
    meta = dict(classes=("sky", "cat"), thing_classes=("cat",), stuff_classes=("sky",))
    results = score(metric, meta, dict(img_id=7), predicted)
    # sky: 2 of 4 pixels is no match: one missed, one false; cat: IoU 4 / 5
    assert results["scenes/PQ"] == 40 and results["scenes/PQ_thing"] == 80 and results["scenes/PQ_stuff"] == 0
    assert results["scenes/SQ"] == 40 and results["scenes/RQ"] == 50


@pytest.mark.parametrize("dataset_type", [CocoPanopticDataset, ADE20KPanopticDataset])
def test_samples_of_mmdets_datasets_carry_the_same_truth(tmp_path, dataset_type):
    ann_file, folder = write_truth(tmp_path, IDS, segments(), CATEGORIES)
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "1.jpg")
    meta = dict(classes=("cat", "sky", "sea"), thing_classes=("cat",), stuff_classes=("sky", "sea"))
    dataset = dataset_type(
        ann_file=str(ann_file),
        data_prefix=dict(img=str(tmp_path), seg=str(folder)),
        metainfo=meta,
        pipeline=PIPELINE,
    )
    sample = dataset[0]["data_samples"]
    np.testing.assert_array_equal(
        sample.gt_sem_seg.sem_seg[0], [[0, 0, 0, 0], [0, 0, 255, 0], [1, 1, 1, 1], [2, 2, 2, 2]]
    )
    assert sample.gt_instances.labels.tolist() == [0] and sample.gt_instances.masks.masks.sum() == 5
    truth = PanopticFiles(ann_file, folder, meta["classes"])[7]
    assert segments_of_mmdet(sample.segments_info, {0}) == truth["segments"]
    results = score(PanopticQuality(groups=("thing",)), meta, sample.to_dict(), perfect(truth, 3))
    assert results["scenes/PQ"] == results["scenes/PQ_thing"] == 100


def test_what_does_not_fit_is_refused(tmp_path):
    ann_file, folder = write_truth(tmp_path, IDS, segments(), CATEGORIES)
    from PIL import Image

    Image.new("L", (4, 4)).save(tmp_path / "labels.png")
    with pytest.raises(ValueError, match=r"folder of the panoptic maps.*mode 'L'"):
        read_segment_ids(tmp_path / "labels.png")
    with pytest.raises(ValueError, match=r"no category for 1 of 2 classes.*dog"):
        PanopticFiles(ann_file, folder, ("cat", "dog"))
    with pytest.raises(KeyError, match="no picture of id 8"):
        PanopticFiles(ann_file, folder, ("cat",))[8]
    (tmp_path / "boxes.json").write_text(json.dumps(dict(annotations=[dict(bbox=[])], categories=[])))
    with pytest.raises(ValueError, match="segments_info"):
        PanopticFiles(tmp_path / "boxes.json", folder, ("cat",))
    with pytest.raises(ValueError, match="go together"):
        PanopticQuality(ann_file="a.json")
    metric = PanopticQuality(ann_file=str(ann_file), seg_prefix=str(folder))
    with pytest.raises(ValueError, match=r"size of the original picture, \(4, 4\), got \(2, 2\)"):
        score(metric, dict(classes=("cat",)), dict(img_id=7), np.zeros((2, 2), int))
    with pytest.raises(ValueError, match="needs the truth"):
        score(PanopticQuality(), dict(classes=("cat",)), dict(img_id=7), np.zeros((4, 4), int))


@needs["coco_panoptic_samples"]
def test_real_coco_samples():
    root = REAL / "coco_panoptic_samples" / "sample_data"
    dataset = CocoPanopticDataset(
        ann_file=str(root / "panoptic_examples.json"),
        data_prefix=dict(img=str(root / "input_images") + "/", seg=str(root / "panoptic_examples") + "/"),
        pipeline=PIPELINE,
    )
    files = PanopticFiles(dataset.ann_file, root / "panoptic_examples", dataset.metainfo["classes"])
    by_file = PanopticQuality(("thing", "stuff"), ann_file=dataset.ann_file, seg_prefix=str(root / "panoptic_examples"))
    by_sample = PanopticQuality(("thing", "stuff"))
    lost = 0
    for index in range(len(dataset)):
        sample = dataset[index]["data_samples"].to_dict()
        truth = files[sample["img_id"]]
        assert set(np.unique(truth["ids"])) - {0} == {one["id"] for one in truth["segments"]}
        predicted = perfect(truth, 133)
        largest = max(
            (one for one in truth["segments"] if not one["iscrowd"]), key=lambda one: (truth["ids"] == one["id"]).sum()
        )
        predicted[truth["ids"] == largest["id"]] = 133  # one segment a picture is not found
        lost += 1
        for metric in (by_file, by_sample):
            metric.dataset_meta = dataset.metainfo
            metric.process({}, [dict(sample, pred_panoptic_seg=dict(sem_seg=predicted[None]))])
    counts = np.sum(by_file.results, axis=0)
    assert counts[:, 3].sum() == lost and counts[:, 2].sum() == 0
    np.testing.assert_allclose(counts[:, 0], counts[:, 1])  # every found segment has an IoU of 1
    assert by_file.evaluate(2) == by_sample.evaluate(2)


@needs["ade20k_samples"]
def test_real_ade20k_labels_as_panoptic_truth(tmp_path):
    """The label maps of ADE20K as mmdet's ADE20K panoptic files: every class one segment."""
    from mmdet.datasets.ade20k import ADE20KSegDataset
    from PIL import Image

    picture = REAL / "ade20k_samples" / "ADE_val_00000001"
    labels = np.array(Image.open(f"{picture}.png")).astype(int)
    panoptic = {name.split(",")[0] for name in ADE20KPanopticDataset.METAINFO["classes"]}
    names = [name.strip() for name in ADE20KSegDataset.METAINFO["classes"]]
    shown = [label for label in np.unique(labels) if label and names[label - 1] in panoptic]
    full = {name.split(",")[0]: name for name in ADE20KPanopticDataset.METAINFO["classes"]}
    categories = [
        dict(id=index, name=name, isthing=int(name in ADE20KPanopticDataset.METAINFO["thing_classes"]))
        for index, name in enumerate(ADE20KPanopticDataset.METAINFO["classes"])
    ]
    numbers = {category["name"]: category["id"] for category in categories}
    ids = np.where(np.isin(labels, shown), labels * 1000, 0)
    truth = [dict(id=int(label) * 1000, category_id=numbers[full[names[label - 1]]], iscrowd=0) for label in shown]
    ann_file, folder = write_truth(tmp_path, ids, truth, categories)
    Image.open(f"{picture}.jpg").save(tmp_path / "1.jpg")
    dataset = ADE20KPanopticDataset(
        ann_file=str(ann_file), data_prefix=dict(img=str(tmp_path), seg=str(folder)), pipeline=PIPELINE
    )
    sample = dataset[0]["data_samples"].to_dict()
    assert len(shown) >= 5
    predicted = perfect(PanopticFiles(ann_file, folder, dataset.metainfo["classes"])[7], 150)
    assert score(PanopticQuality(), dataset.metainfo, sample, predicted)["scenes/PQ"] == 100
