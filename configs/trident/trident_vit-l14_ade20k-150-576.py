# Trident (arXiv 2411.09219) on ADE20K without SAM's refinement: short side 576, windows of 336, stride 224.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-l14_openai.py',
    '../_base_/vocabularies/ade20k-150.py',
    '../_base_/datasets/ade20k_ov.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        type='TridentBackbone',
        proxy=dict(type='DINOBackbone', model='vit_base_patch16_224.dino', pretrained=True),
        correlation=dict(type='SAMBackbone', model='samvit_base_patch16', pretrained=True),
        correlation_size=1024,
        crop_size=336,
        stride=224,
        **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='whole', resize='direct', logit_scale=40))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 576), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
