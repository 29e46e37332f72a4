# Zero-guidance segmentation with the tiny CLIP and its companion on generated scenes: 143 words, scored by 48 names.
# Its class token was trained with pooled patches; the global subtraction of the paper makes it worse (README).
_base_ = [
    '../_base_/models/zero_guidance.py',
    '../_base_/backbones/scenes.py',
    '../_base_/datasets/scenes_seg.py',
    '../_base_/default_runtime_seg.py',
]
model = dict(
    backbone=_base_.clip,
    text_encoder=_base_.clip,
    segments=dict(scale=2.0, backbone=dict(model='scenes_dino')),
    spread=None, words=('scenes-143',), answer='scenes-48')
