# LPOSS with the tiny CLIP on drawings of your own: the shorter side becomes 96 pixels, the size that it knows.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-143',
    backbone=dict(
        type='CompanionBackbone',
        companion=dict(type='DINOBackbone', model='scenes_dino'),
        companion_feature='v',
        companion_scale=2,
        **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='LPOSSHead', neighbours=100, gamma=10.0, sigma=0.05))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
