# Panoptic quality on Cityscapes.
_base_ = [
    './_base_/fc-clip_convnext-b.py',
    '../_base_/datasets/cityscapes_panoptic_1024.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary=dict(source='cityscapes-panoptic-19', templates='vild'), test_cfg=dict(instance_on=False, semantic_on=False))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
