# Trident (arXiv 2411.09219) on generated scenes: windows of 64 pixels are spliced, and the self-supervised companion
# plays the parts of DINO (on the windows) and of SAM (its last block over the whole picture, doubled).
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
companion = dict(type='DINOBackbone', model='scenes_dino')
model = dict(
    vocabulary='scenes-48',
    backbone=dict(
        type='TridentBackbone',
        proxy=companion,
        correlation=companion,
        crop_size=64,
        stride=32,
        correlation_size=192,
        proxy_options=dict(proxy_size=128, residual=True, mlp=True),
        **_base_.clip),
    text_encoder=_base_.clip,
    test_cfg=dict(mode='whole', resize='direct'))
