# MaskCLIP (arXiv 2112.01071) on pictures and names of your own: short side 448, windows of 448, stride 224.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/vit-l14_openai.py',
    '../_base_/vocabularies/coco-133.py',
    '../_base_/datasets/images.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(attention='value', position='mmseg', **_base_.clip),
    text_encoder=_base_.clip,
    vocabulary=_base_.vocabulary,
    decode_head=dict(type='MaskCLIPHead'),
    test_cfg=dict(mode='slide', crop_size=448, stride=224, logit_scale=100))
