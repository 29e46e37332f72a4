"""``tools/test.py`` from pictures to results.json on real data, with the tiny model."""

import importlib.util
import json
import math
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEG = """
_base_ = [{bases}]
model = dict(
    vocabulary={vocabulary!r},
    backbone=dict(attention="value", model="scenes"),
    text_encoder=dict(model="scenes"),
    decode_head=dict(type="MaskCLIPHead"))
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ovdense.Resize", scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type="LoadAnnotations"),
    dict(type="mmseg.PackSegInputs"),
]
test_evaluator = dict(_delete_=True, type="GroupedIoUMetric", iou_metrics=["mIoU"])
test_cfg = dict(type="TestLoop")
"""
DET = """
_base_ = [{bases}]
model = dict(vocabulary={vocabulary!r}{more})
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="ovdense.Resize", scale=(2048, 96), keep_ratio=True, antialias=True),
    {load},
    dict(type="mmdet.PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"{keys})),
]
test_cfg = dict(type="TestLoop")
"""
LOADER = (
    "test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(pipeline=test_pipeline, {data}))\n"
)


def bases(*names):
    return ", ".join(repr(str(ROOT / "configs" / "_base_" / f"{name}.py")) for name in names)


def seg(dataset, vocabulary, **data):
    text = SEG.format(
        bases=bases("models/clip_seg", f"datasets/{dataset}", "default_runtime_seg"),
        vocabulary=vocabulary,
    )
    return text + LOADER.format(data=options(data))


def det(dataset, vocabulary, *, load, more="", keys="", **data):
    parts = bases("models/region_text_detector", f"datasets/{dataset}", "default_runtime_det")
    text = DET.format(bases=parts, vocabulary=vocabulary, load=load, more=more, keys=keys)
    return text + LOADER.format(data=options(data))


def options(data):
    return ", ".join(f"{key}={value!r}" for key, value in data.items())


def run(tmp_path, text):
    config = tmp_path / "config.py"
    config.write_text(text)
    spec = importlib.util.spec_from_file_location("tool_test", ROOT / "tools" / "test.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    metrics = tool.main([str(config), "none", "--work-dir", str(tmp_path / "work")])
    report = json.loads((tmp_path / "work" / "results.json").read_text())
    written = {key: math.nan if value is None else value for key, value in report["metrics"].items()}
    assert written == pytest.approx(metrics, nan_ok=True)
    return metrics, report


@pytest.mark.slow
def test_camvid(real, tmp_path):
    names = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
    metrics, report = run(tmp_path, seg("camvid", names, data_root=str(real("camvid")), indices=6))
    assert 0 <= metrics["mIoU"] <= 100 and report["protocol"]["pictures"] == 6
    assert [row["name"] for row in report["classes"]["IoU"]] == names


@pytest.mark.slow
def test_ade20k(real, tmp_path):
    source, root = real("ade20k_samples"), tmp_path / "ade"
    for kind, suffix in (("images", ".jpg"), ("annotations", ".png")):
        (root / kind / "validation").mkdir(parents=True)
        for path in source.glob(f"ADE_val*{suffix}"):
            (root / kind / "validation" / path.name).symlink_to(path)
    metrics, report = run(tmp_path, seg("ade20k", "ade20k-150", data_root=str(root)))
    assert 0 <= metrics["mIoU"] <= 100 and report["protocol"]["pictures"] == 3
    assert sum(row["pixels"] > 0 for row in report["classes"]["IoU"]) > 10


@pytest.mark.slow
def test_coco128_boxes(real, tmp_path):
    root = real("coco128")
    files = dict(data_root=str(root), ann_file="instances_train128.json", data_prefix=dict(img="images/train2017"))
    load = 'dict(type="mmdet.LoadAnnotations", with_bbox=True)'
    metrics, report = run(tmp_path, det("ov_coco_65", "coco-65", load=load, indices=6, **files))
    assert "ov_coco/bbox_AP50_novel" in metrics and "6 of 128 pictures" in report["protocol_line"]
    assert len(report["classes"]["bbox"]) == 65


@pytest.mark.slow
def test_coco128_panoptic(real, tmp_path):
    root = real("coco128")
    files = dict(
        data_root=str(root) + "/",
        ann_file="panoptic/panoptic_train2017.json",
        data_prefix=dict(img="images/train2017/", seg="panoptic/panoptic_train2017/"),
    )
    kind = ', type="OpenVocabPanopticDetector", stuff_head=dict(type="PixelTextHead")'
    keys, load = ', "panoptic"', 'dict(type="LoadPanopticMap")'
    text = det("coco_panoptic_800", "coco-133", load=load, more=kind, keys=keys, indices=4, **files)
    metrics, report = run(tmp_path, text)
    assert 0 <= metrics["coco/PQ"] <= 100 and len(report["classes"]["PQ"]) == 133
