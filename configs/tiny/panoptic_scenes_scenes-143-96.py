# Panoptic maps of generated scenes: `scenes_proposals` finds things, which are named by their pooled features and the
# class token of their crop; every other pixel is named after stuff.
_base_ = [
    '../_base_/models/region_text_detector.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    type='OpenVocabPanopticDetector',
    vocabulary='scenes-143',
    backbone=dict(attention='value', with_global=True),
    roi_head=dict(
        pool='mask',
        activation='softmax',
        logit_scale=20.0,
        objectness_weight=0.3,
        crop_weight=0.65,
        crop_size=48,
        crop_fade=1.0),
    stuff_head=dict(type='PixelTextHead'),
    test_cfg=dict(score_thr=0.01),
    panoptic_cfg=dict(min_stuff_share=0.2))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
