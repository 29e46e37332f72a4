# MaskCLIP with key smoothing and prompt denoising on generated scenes.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(attention='value', capture=('k_out', ), **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='MaskCLIPHead', ks_thresh=1.0, pd_thresh=0.5))
