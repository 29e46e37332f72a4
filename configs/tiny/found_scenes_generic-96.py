# FOUND with the embedded companion and head on drawings of your own: object or background.
_base_ = ['../_base_/models/found.py', '../_base_/datasets/images.py', '../_base_/default_runtime_seg.py']
model = dict(
    backbone=dict(model='scenes_dino', pretrained=False),
    decode_head=dict(in_channels=128, pretrained='scenes_found'))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 96), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
