# Everything in drawings of your own segmented and named, with no names given: the shorter side becomes 96 pixels.
_base_ = [
    '../_base_/models/zero_guidance.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    segments=dict(scale=2.0, backbone=dict(model='scenes_dino')),
    spread=None, words=('scenes-143',))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
