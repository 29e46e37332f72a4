# MaskCLIP with key smoothing and prompt denoising on generated scenes.
_base_ = [
    '../_base_/models/scenes_segmentor.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=dict(capture=('k_out', )),
    decode_head=dict(type='MaskCLIPHead', ks_thresh=1.0, pd_thresh=0.5))
