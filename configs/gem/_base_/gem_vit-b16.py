# GEM (arXiv 2312.00878) on ViT-B/16.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-b16_openai.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(attention='gem', position='gem', **_base_.clip),
    text_encoder=_base_.clip)
