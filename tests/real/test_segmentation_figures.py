"""mIoU and PQ of made predictions on real label maps equal a plain count in NumPy."""

import cv2
import numpy as np
import pytest
import torch

from ovdense.datasets import CamVidDataset, CocoPanopticMapsDataset
from ovdense.evaluation import GroupedIoUMetric, PanopticQuality
from ovdense.evaluation.panoptic_quality import INSTANCE_OFFSET


def test_miou_of_camvid_is_the_plain_count(real):
    dataset = CamVidDataset(data_root=str(real("camvid")), split="test", test_mode=True, pipeline=[])
    assert len(dataset) == 20 and len(dataset.metainfo["classes"]) == 11
    generator = np.random.default_rng(0)
    metric = GroupedIoUMetric(iou_metrics=["mIoU"])
    metric.dataset_meta = dataset.metainfo
    confusion = np.zeros((11, 11), np.int64)
    for index in range(0, 20, 4):
        truth = cv2.imread(dataset.get_data_info(index)["seg_map_path"], cv2.IMREAD_UNCHANGED).astype(np.int64)
        assert truth.max() <= 11
        predicted = np.where(generator.random(truth.shape) < 0.3, generator.integers(0, 9, truth.shape), truth % 11)
        seen = truth < 11
        np.add.at(confusion, (truth[seen], predicted[seen]), 1)
        label = torch.from_numpy(np.where(seen, truth, 255))[None]
        sample = dict(pred_sem_seg=dict(data=torch.from_numpy(predicted)[None]), gt_sem_seg=dict(data=label))
        metric.process({}, [sample])
    hit, true, guessed = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    results = metric.evaluate(5)
    assert results["mIoU"] == pytest.approx(100 * (hit / (true + guessed - hit)).mean(), abs=0.006)
    assert results["mAcc"] == pytest.approx(100 * (hit / true).mean(), abs=0.006)
    assert results["aAcc"] == pytest.approx(100 * hit.sum() / true.sum(), abs=0.006)


def plain_quality(pairs, count):
    """PQ of (predicted, ids, segments) by masks, segment by segment, as the paper defines it."""
    iou, hits, surplus, missed = (np.zeros(count) for _ in range(4))
    for predicted, ids, segments in pairs:
        void, taken = ids == 0, set()
        for one in (one for one in segments if not one["iscrowd"]):
            mask = ids == one["id"]
            best = 0.0
            for value in np.unique(predicted[mask]):
                if value % INSTANCE_OFFSET == one["label"]:
                    guess = predicted == value
                    overlap = (mask & guess).sum() / ((mask | guess) & ~(void & guess)).sum()
                    if overlap > 0.5:
                        best, _ = overlap, taken.add(value)
            iou[one["label"]] += best
            hits[one["label"]] += best > 0
            missed[one["label"]] += best == 0
        for value in set(np.unique(predicted)) - taken:
            label, guess = value % INSTANCE_OFFSET, predicted == value
            crowds = [one["id"] for one in segments if one["iscrowd"] and one["label"] == label]
            if label < count and (void | np.isin(ids, crowds))[guess].mean() <= 0.5:
                surplus[label] += 1
    there = hits + surplus + missed > 0
    return 100 * (iou / np.maximum(hits + surplus / 2 + missed / 2, 1e-9))[there].mean()


def test_panoptic_quality_of_coco128_is_the_plain_count(real):
    root = real("coco128") / "panoptic"
    files = dict(ann_file=str(root / "panoptic_train2017.json"), seg_prefix=str(root / "panoptic_train2017"))
    dataset = CocoPanopticMapsDataset(
        ann_file=files["ann_file"],
        data_prefix=dict(img=str(root.parent / "images" / "train2017"), seg=files["seg_prefix"]),
        test_mode=True,
        pipeline=[],
    )
    metric = PanopticQuality(groups=("thing", "stuff"), **files)
    metric.dataset_meta = dataset.metainfo
    pairs = []
    for index in range(0, len(dataset), 12):
        info = dataset.get_data_info(index)
        truth = metric._truth(dict(img_id=info["img_id"]))
        predicted = damaged(truth, 133)
        pairs.append((predicted, truth["ids"], truth["segments"]))
        metric.process({}, [dict(img_id=info["img_id"], pred_panoptic_seg=dict(sem_seg=predicted[None]))])
    results = metric.evaluate(len(pairs))
    assert results["scenes/PQ"] == pytest.approx(plain_quality(pairs, 133), abs=0.006)
    assert 20 < results["scenes/PQ"] < 95


def damaged(truth, void):
    """The true segments, every third moved aside, every fifth of another class, every seventh left out."""
    predicted = np.full(truth["ids"].shape, void, np.int32)
    for number, one in enumerate(truth["segments"]):
        mask = truth["ids"] == one["id"]
        mask = np.roll(mask, 25, axis=1) if number % 3 == 0 else mask
        label = (one["label"] + 1) % void if number % 5 == 0 else one["label"]
        if number % 7:
            predicted[mask] = label + INSTANCE_OFFSET * (number + 1)
    return predicted
