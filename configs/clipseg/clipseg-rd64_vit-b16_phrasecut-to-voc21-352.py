# CLIPSeg as a segmentor of 20 names, each by a binary map; background where none reaches 0.3.
_base_ = [
    '../_base_/models/clipseg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/datasets/voc21.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=_base_.clip,
    text_encoder=dict(templates=['a photo of a {}'], **_base_.clip),
    vocabulary=dict(source='voc-20', background=dict(policy='threshold', threshold=0.3)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(352, 352), keep_ratio=False),
    dict(type='LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_dataloader = test_dataloader
