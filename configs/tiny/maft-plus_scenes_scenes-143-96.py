# Panoptic maps and instances of generated scenes, base and novel classes, by a checkpoint of the training below.
_base_ = [
    '../_base_/models/maft-plus_scenes.py',
    '../_base_/datasets/scenes_panoptic.py',
    '../_base_/default_runtime_det.py',
]
model = dict(vocabulary='scenes-143', trained_on='scenes-115')
val_evaluator = [
    dict(type='PanopticQuality', groups=('thing', 'stuff', 'base', 'novel')),
    dict(type='mmdet.CocoMetric', metric='segm'),
]
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
