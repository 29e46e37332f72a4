# Panoptic maps of generated scenes, base and novel classes, by a checkpoint of the training on base classes.
_base_ = [
    '../_base_/models/ovseg_scenes.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='scenes-143', trained_on='scenes-115', test_cfg=dict(panoptic_on=True))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
