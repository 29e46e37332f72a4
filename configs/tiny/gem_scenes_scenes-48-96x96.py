# GEM (arXiv 2312.00878) on generated scenes.
_base_ = [
    '../_base_/models/scenes_segmentor.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(backbone=dict(attention='gem', position='gem'))
