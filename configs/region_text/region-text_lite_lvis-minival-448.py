# LVIS minival with fixed AP: training-free detection with the embedded ImageNet model, tested only.
_base_ = [
    '../_base_/models/region_text_lite.py',
    '../_base_/datasets/ov_lvis_minival.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='lvis-1203', test_cfg=dict(score_thr=1e-4, max_per_img=1000))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys={{_base_.meta_keys}}),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_dataloader = val_dataloader = val_evaluator = None
