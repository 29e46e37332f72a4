# Boxes and masks by words in drawings of your own, with the tiny CLIP: the shorter side becomes 96 pixels.
_base_ = [
    '../_base_/models/region_text_detector.py',
    '../_base_/datasets/images_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-127',
    backbone=dict(with_global=True),
    roi_head=dict(
        pool='mask',
        activation='sigmoid',
        logit_scale=15.0,
        logit_bias=-6.0,
        objectness_weight=0.3,
        crop_weight=0.5,
        crop_size=48,
        crop_fade=1.0,
        calibration=dict(midpoint=0.028, slope=3.0)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys={{_base_.meta_keys}}),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
