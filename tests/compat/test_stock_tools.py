"""The unmodified mmdet train tool with nothing but ``custom_imports`` trains a detector that needs NMS and RoIAlign."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmdet
import numpy as np
import pytest
from PIL import Image

CONFIG = """
_base_ = ["mmdet::_base_/models/mask-rcnn_r50_fpn.py", "mmdet::_base_/default_runtime.py"]
custom_imports = dict(imports=["ovdense"], allow_failed_imports=False)
model = dict(
    backbone=dict(depth=18, init_cfg=None, norm_cfg=dict(type="BN", requires_grad=True)),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, fc_out_channels=32, num_classes=1),
        mask_roi_extractor=dict(out_channels=16),
        mask_head=dict(num_convs=1, in_channels=16, conv_out_channels=16, num_classes=1)))
pipeline = [
    dict(type="LoadImageFromFile"), dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
    dict(type="Resize", scale=(96, 96), keep_ratio=True),
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"))]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="CocoDataset", data_root="DATA", ann_file="a.json", data_prefix=dict(img=""),
                 metainfo=dict(classes=("square",)), pipeline=pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False, sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="CocoDataset", data_root="DATA", ann_file="a.json", data_prefix=dict(img=""), test_mode=True,
                 metainfo=dict(classes=("square",)), pipeline=pipeline))
val_evaluator = dict(type="CocoMetric", ann_file="DATA/a.json", metric=["bbox", "segm"])
train_cfg = dict(type="IterBasedTrainLoop", max_iters=3, val_interval=3)
val_cfg = dict(type="ValLoop")
log_processor = dict(by_epoch=False)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01))
default_hooks = dict(checkpoint=dict(interval=-1), logger=dict(interval=1))
"""


def write_squares(folder: Path) -> None:
    images, annotations = [], []
    for index in range(4):
        name = f"{index}.png"
        pixels = np.full((96, 96, 3), 60, np.uint8)
        pixels[20:60, 20 + index : 60 + index] = 230
        Image.fromarray(pixels).save(folder / name)
        images.append(dict(id=index, file_name=name, height=96, width=96))
        left, right = 20 + index, 60 + index
        polygon = [left, 20, right, 20, right, 60, left, 60]
        box = [left, 20, 40, 40]
        annotations.append(
            dict(id=index + 1, image_id=index, category_id=1, bbox=box, area=1600, iscrowd=0, segmentation=[polygon])
        )
    categories = [dict(id=1, name="square")]
    (folder / "a.json").write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


@pytest.mark.slow
def test_stock_mmdet_tool_trains_mask_rcnn(tmp_path):
    write_squares(tmp_path)
    config = tmp_path / "config.py"
    config.write_text(CONFIG.replace("DATA", str(tmp_path)))
    tool = Path(mmdet.__file__).parent / ".mim" / "tools" / "train.py"
    root = Path(__file__).parents[2]
    environment = dict(os.environ, PYTHONPATH=str(root), MPLBACKEND="Agg")
    run = subprocess.run(
        [sys.executable, str(tool), str(config), "--work-dir", str(tmp_path / "work")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    log = run.stdout + run.stderr
    assert run.returncode == 0, log[-3000:]
    assert "Iter(train) [3/3]" in log and "loss_mask" in log
    assert "coco/segm_mAP" in log
    assert "Could not import OneDL" not in log
