# Mask AP on ADE20K: the things of the panoptic vocabulary come first and in the instance labels' order.
_base_ = [
    './_base_/fc-clip_convnext-l.py',
    '../_base_/datasets/ade20k_instance_800.py',
    '../_base_/default_runtime_det.py',
]
model = dict(
    vocabulary=dict(source='ade20k-panoptic-150', templates='vild'), test_cfg=dict(panoptic_on=False, semantic_on=False))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
