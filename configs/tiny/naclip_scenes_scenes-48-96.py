# NACLIP (arXiv 2404.08181) on generated scenes.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(attention='kk+gaussian', attention_options=dict(std=5.0), **_base_.clip),
    text_encoder=_base_.clip)
