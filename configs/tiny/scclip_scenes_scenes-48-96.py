# SC-CLIP (arXiv 2411.15869) on generated scenes.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(attention='scclip', **_base_.clip),
    text_encoder=_base_.clip)
