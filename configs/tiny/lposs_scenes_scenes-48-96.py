# LPOSS (arXiv 2503.19777) on generated scenes: the tiny CLIP and its self-supervised companion, which sees pictures
# doubled. Fewer neighbours of a picture of 96 pixels, a decay to its scale, and an exponent to the companion's cosines.
_base_ = [
    '../_base_/models/clip_seg.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    vocabulary='scenes-48',
    backbone=dict(
        type='CompanionBackbone',
        companion=dict(type='DINOBackbone', model='scenes_dino'),
        companion_feature='v',
        companion_scale=2,
        **_base_.clip),
    text_encoder=_base_.clip,
    decode_head=dict(type='LPOSSHead', neighbours=100, gamma=10.0, sigma=0.05))
