# ResCLIP (arXiv 2411.15851) on pictures and names of your own: short side 336, windows of 224, stride 112.
# The weights and the threshold are those of COCO-Stuff.
_base_ = [
    './_base_/resclip_vit-b16.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
]
model = dict(
    backbone=dict(attention_options=dict(rcs_weights=(2.0, 0.4), sfr_weights=(1.8, 0.7))),
    decode_head=dict(label_threshold=0.11),
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 336), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
