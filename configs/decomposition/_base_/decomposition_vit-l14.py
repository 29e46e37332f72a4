# Text-based decomposition (arXiv 2310.05916): the heat of a phrase is what patches add to its cosine with the picture.
_base_ = [
    '../../_base_/models/clip_seg.py',
    '../../_base_/backbones/vit-l14_openclip.py',
    '../../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(type='DecomposedCLIP', **_base_.clip),
    text_encoder=dict(templates='imagenet-80', **_base_.clip),
    decode_head=dict(type='DecompositionHead'),
    test_cfg=dict(mode='whole', logit_scale=100))
