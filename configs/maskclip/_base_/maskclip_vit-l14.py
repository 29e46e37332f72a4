# MaskCLIP (arXiv 2112.01071) on ViT-L/14.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-l14_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(attention='value', position='mmseg', **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='MaskCLIPHead'))
