# Panoptic maps of generated scenes, base and novel classes, by a checkpoint of the tuning on true masks.
_base_ = './fc-clip_scenes_scenes-143-96.py'
model = dict(
    type='MaskTunedMaskFormer',
    backbone=dict(frozen=False),
    tuned=(r'backbone\.visual\.transformer\.',),
    region_classifier=dict(logit_scale=20.0))
