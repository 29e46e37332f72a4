# SC-CLIP (arXiv 2411.15869) on ADE20K: short side 336, windows of 224, stride 112.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-l14_openai.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(attention='scclip', **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 336), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
