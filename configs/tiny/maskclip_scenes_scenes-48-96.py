# MaskCLIP (arXiv 2112.01071) on generated scenes: values of the last block, residual and MLP kept as in its code.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(attention='value', **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='MaskCLIPHead'))
