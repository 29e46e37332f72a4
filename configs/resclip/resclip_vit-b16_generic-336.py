# ResCLIP (arXiv 2411.15851) on pictures and names of your own: short side 336, windows of 224, stride 112.
# The weights and the threshold are those of COCO-Stuff.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-b16_openai.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(
        attention='resclip',
        attention_options=dict(rcs_weights=(2.0, 0.4), sfr_weights=(1.8, 0.7)),
        capture=('block_input', 'recorded', 'images'),
        **_base_.clip),
    decode_head=dict(_delete_=True, type='ResCLIPHead', label_threshold=0.11),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    test_cfg=dict(mode='slide', crop_size=224, stride=112, logit_scale=40))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ovdense.Resize', scale=(2048, 336), keep_ratio=True, antialias=True),
    dict(type='mmseg.PackSegInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
