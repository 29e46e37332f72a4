# The embedded photo model on CamVid's 11 names, zero-shot. Poles and signs are small: no region is dropped.
_base_ = ['../_base_/models/lite_segmentor.py', '../_base_/datasets/camvid.py', '../_base_/default_runtime_seg.py']
model = dict(
    vocabulary=[
        'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car', 'pedestrian', 'bicyclist'
    ],
    refine=dict(type='GuidedFilter'),
    test_cfg=dict(contrast=0.15))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 448), keep_ratio=True, antialias=True),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
train_dataloader = None
