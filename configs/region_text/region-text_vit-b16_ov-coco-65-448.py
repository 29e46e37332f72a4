# OV-COCO among 65 names: training-free detection with real CLIP weights, tested only.
_base_ = [
    '../_base_/models/region_text_vit-b16.py',
    '../_base_/datasets/ov_coco_65.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='coco-65', test_cfg=dict(score_thr=0.001))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys={{_base_.meta_keys}}),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_dataloader = val_dataloader = val_evaluator = None
