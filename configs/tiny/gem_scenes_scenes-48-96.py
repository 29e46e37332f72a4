# GEM (arXiv 2312.00878) on generated scenes; the second stream runs over the last block but one only, of five.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(attention='gem', attention_options=dict(depth=2), position='gem', **_base_.clip),
    text_encoder=_base_.clip)
