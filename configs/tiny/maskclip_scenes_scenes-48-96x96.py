# MaskCLIP (arXiv 2112.01071) on generated scenes: values of the last block, residual and MLP kept as in its code.
_base_ = [
    '../_base_/models/scenes_segmentor.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(decode_head=dict(type='MaskCLIPHead'))
