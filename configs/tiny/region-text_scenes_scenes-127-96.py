# Boxes and masks of `scenes_proposals`, each named among 127 by its pooled features and the class token of its crop,
# whose surroundings are blotted out.
_base_ = [
    '../_base_/models/region_text_detector.py',
    '../_base_/datasets/scenes_det.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary='scenes-127',
    backbone=dict(with_global=True),
    roi_head=dict(
        pool='mask',
        activation='softmax',
        logit_scale=20.0,
        objectness_weight=0.3,
        crop_weight=0.5,
        crop_size=48,
        crop_fade=1.0),
    test_cfg=dict(score_thr=0.01))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
